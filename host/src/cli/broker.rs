//! `sluicegate broker`: a Kafka-protocol broker for trying things out, without anything to install.
//!
//! It is librdkafka's mock cluster, not Apache Kafka: it speaks the real protocol over TCP, keeps everything in memory,
//! and of each partition only about the last 5 MB or 100,000 records. It chooses its port itself; a port of one's own is a
//! door in front of it, at which clients are told the other.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use rdkafka::mocking::MockCluster;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

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

/// `NAME:PARTITIONS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// The topic.
    pub name: String,
    /// How many partitions it has: 1 to [`TopicSpec::PARTITIONS_MAX`].
    pub partitions: i32,
}

impl TopicSpec {
    /// At up to 5 MB a partition this is 1.3 GB of memory; who needs more needs a real broker.
    pub const PARTITIONS_MAX: i32 = 256;
}

impl FromStr for TopicSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, partitions) = text
            .rsplit_once(':')
            .ok_or_else(|| format!("`{text}` has no number of partitions; write `{text}:3`"))?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > 249 || !name.chars().all(allowed) {
            return Err(format!(
                "`{name}` is no topic name; 1 to 249 letters, digits, dots, dashes and underscores"
            ));
        }
        match partitions.parse() {
            Ok(partitions @ 1..=Self::PARTITIONS_MAX) => {
                Ok(Self { name: name.to_owned(), partitions })
            }
            _ => Err(format!(
                "`{partitions}` is no number of partitions; 1 to {}",
                Self::PARTITIONS_MAX
            )),
        }
    }
}

/// Runs a broker until SIGINT or SIGTERM. Its address is the first line on standard output.
pub fn run(args: &BrokerArgs) -> Result<()> {
    let cluster = MockCluster::new(1).context("start the embedded broker")?;
    for topic in &args.topics {
        cluster
            .create_topic(&topic.name, topic.partitions, 1)
            .with_context(|| format!("create topic `{}`", topic.name))?;
    }
    let address = cluster.bootstrap_servers();
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
    // `cluster` is dropped here: connections are closed.
}

/// A port of one's own before the broker. What comes in is handed on; the broker's answer names its own port, to which
/// clients turn for all that follows.
struct Door {
    listener: TcpListener,
    broker: String,
}

impl Door {
    /// Connections at once; each client needs one for a moment.
    const CONNECTIONS_MAX: usize = 256;

    /// `port` 0 is any that is free.
    async fn open(port: u16, broker: String) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.with_context(|| {
            format!("take port {port} of 127.0.0.1: leave --port out for a port that is free")
        })?;
        Ok(Self { listener, broker })
    }

    fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().context("ask for the port of the door")
    }

    async fn serve(&self) -> std::convert::Infallible {
        let room = Arc::new(Semaphore::new(Self::CONNECTIONS_MAX));
        loop {
            let place = Arc::clone(&room).acquire_owned().await.expect("it is never closed");
            // A client that left before it was let in.
            let Ok((mut client, _)) = self.listener.accept().await else { continue };
            let broker = self.broker.clone();
            tokio::spawn(async move {
                let _place = place;
                if let Ok(mut inside) = TcpStream::connect(broker).await {
                    // However it ends, both sides see it.
                    let _ = copy_bidirectional(&mut client, &mut inside).await;
                }
            });
        }
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::config::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::mocking::MockCluster;

    use super::{Door, TopicSpec};

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_comes_to_the_door_is_led_to_the_broker() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("sales", 3, 1).unwrap();
        let inside = cluster.bootstrap_servers();
        let door = Door::open(0, inside.clone()).await.unwrap();
        let address = door.address().unwrap().to_string();
        assert_ne!(address, inside);
        let taken = Door::open(door.address().unwrap().port(), inside.clone()).await;
        assert!(taken.err().unwrap().to_string().contains("leave --port out"));
        tokio::spawn(async move { door.serve().await });
        let asked = tokio::task::spawn_blocking(move || {
            let client: BaseConsumer =
                ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
            let metadata = client.fetch_metadata(Some("sales"), Duration::from_secs(60)).unwrap();
            let broker = &metadata.brokers()[0];
            (
                format!("{}:{}", broker.host(), broker.port()),
                metadata.topics()[0].partitions().len(),
            )
        });
        assert_eq!(asked.await.unwrap(), (inside, 3));
    }

    #[test]
    fn a_topic_has_a_name_and_a_number_of_partitions() {
        let topic: TopicSpec = "sales:3".parse().unwrap();
        assert_eq!(topic, TopicSpec { name: "sales".to_owned(), partitions: 3 });
        assert!("eu.sales-raw_1:256".parse::<TopicSpec>().is_ok());
    }

    #[test]
    fn what_is_no_topic_is_refused_with_what_would_be_one() {
        let refusal = |text: &str| text.parse::<TopicSpec>().unwrap_err();
        assert_eq!(refusal("sales"), "`sales` has no number of partitions; write `sales:3`");
        assert_eq!(refusal("sales:0"), "`0` is no number of partitions; 1 to 256");
        assert_eq!(refusal("sales:257"), "`257` is no number of partitions; 1 to 256");
        assert_eq!(
            refusal("s/les:1"),
            "`s/les` is no topic name; 1 to 249 letters, digits, dots, dashes and underscores"
        );
    }
}
