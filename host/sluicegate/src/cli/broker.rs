//! `sluicegate broker`: a Kafka-protocol broker for trying things out, without anything to install.
//!
//! What it is and what it keeps: [`sluicegate_produce::broker`].

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use sluicegate_produce::broker::{Broker, Door, TopicSpec};

/// What `sluicegate broker` is told.
#[derive(Args, Clone, Debug)]
pub struct BrokerArgs {
    /// A topic to create and its number of partitions; may be given several times.
    #[arg(long = "topic", value_name = "NAME:PARTITIONS", default_value = "sales:3")]
    pub topics: Vec<TopicSpec>,
    /// Take first connections at this port of 127.0.0.1, for example 9092; clients on this machine are led on from
    /// there. Default: a free port
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Write the chosen address to this file, whole at once, when the broker takes connections.
    #[arg(long, value_name = "PATH")]
    pub address_file: Option<PathBuf>,
}

/// Runs a broker until SIGINT or SIGTERM. Its address is the first line on standard output.
pub fn run(args: &BrokerArgs) -> Result<()> {
    let broker = Broker::start(&args.topics)?;
    let address = broker.address();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime that waits for signals")?;
    runtime.block_on(async {
        let Some(port) = args.port else {
            announce(&address, args)?;
            return asked_to_stop().await;
        };
        let door = Door::open(port, address).await?;
        announce(&door.address()?.to_string(), args)?;
        tokio::select! {
            never = door.serve() => match never {},
            stopped = asked_to_stop() => stopped,
        }
    })
    // `broker` is dropped here: connections are closed.
}

/// The address for programs, the rest for people.
fn announce(address: &str, args: &BrokerArgs) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}")
        .and_then(|()| out.flush())
        .context("write the address to standard output")?;
    let topics: Vec<_> =
        args.topics.iter().map(|topic| format!("{}:{}", topic.name, topic.partitions)).collect();
    tracing::info!(
        address,
        topics = topics.join(" "),
        "embedded broker: librdkafka's mock cluster, in memory, about 5 MB a partition, then the oldest go"
    );
    let Some(path) = &args.address_file else {
        return Ok(());
    };
    // By a second name, so that a reader finds nothing or all of it.
    let part = path.with_extension("part");
    std::fs::write(&part, address).with_context(|| format!("write `{}`", part.display()))?;
    std::fs::rename(&part, path).with_context(|| format!("rename to `{}`", path.display()))
}

async fn asked_to_stop() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
