//! The programs of the demo and their files: broker, host, producer, started in this order, ended in the other.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::options::{BrokerChoice, Options};
use super::say;
use crate::command::run as run_command;
use crate::daemon::{Daemon, Output, free_port, is_listening, last_lines};
use crate::services::{self, Kafka};
use crate::workspace::Workspace;

const PIPELINE: &str = include_str!("demo.toml");

/// Programs that are there in a second on a quiet machine.
const START_LIMIT: Duration = Duration::from_secs(30);
/// A last commit to a local folder.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Everything that runs. Fields are dropped in this order: who reads from whom goes first.
pub(super) struct Stage {
    producer: Daemon,
    host: Daemon,
    broker: Broker,
    binary: PathBuf,
    folder: PathBuf,
    url: String,
}

enum Broker {
    Embedded(Daemon),
    Kafka(Kafka),
    Yours,
}

impl Stage {
    /// Starts broker, host and producer.
    pub(super) fn set(
        workspace: &Workspace,
        options: &Options,
        binary: &Path,
        folder: &Path,
    ) -> Result<Self> {
        let (broker, brokers) = start_broker(workspace, options, binary, folder)?;
        let pipeline = folder.join("demo.toml");
        fs::write(&pipeline, PIPELINE.replace("@BROKERS@", &brokers)).context("write demo.toml")?;

        let port = console_port()?;
        let mut serve = Command::new(binary);
        serve.arg("serve").arg(&pipeline).current_dir(folder);
        serve.arg("--listen").arg(format!("127.0.0.1:{port}"));
        let mut host = Daemon::start("the host", &serve, Output::Shown(&folder.join("host.log")))?;
        host.wait_ready(START_LIMIT, |_| is_listening(port).then_some(()))?;
        let url = format!("http://127.0.0.1:{port}");
        say(&format!(
            "The console: {url}\n  Open it in a browser. It shows this stream from the first record on: what comes in, \
             what each module does with it, which windows are open, what was late or refused, and why."
        ));

        let mut produce = Command::new(binary);
        produce.args(["produce", "sales", "--brokers", &brokers]);
        produce.args(["--rate", &options.rate.to_string(), "--partitions", "3", "--stores", "8"]);
        produce.args(["--late", "1%/1m", "--bad", "0.5%"]);
        let producer =
            Daemon::start("the producer", &produce, Output::Log(&folder.join("producer.log")))?;
        say(&format!(
            "The host serves the pipeline {}; {} sales a second go to topic `sales`.",
            pipeline.display(),
            options.rate
        ));
        Ok(Self {
            producer,
            host,
            broker,
            binary: binary.to_path_buf(),
            folder: folder.to_path_buf(),
            url,
        })
    }

    /// An error if one of the programs has ended.
    pub(super) fn look_after(&mut self) -> Result<()> {
        let mut programs = vec![&mut self.producer, &mut self.host];
        match &mut self.broker {
            Broker::Embedded(daemon) => programs.push(daemon),
            Broker::Kafka(kafka) => programs.push(kafka.daemon()),
            Broker::Yours => {}
        }
        for program in programs {
            if let Some(status) = program.ended()? {
                let log = last_lines(&program.log(), 20);
                bail!("{} ended with {status}:\n{log}", program.name());
            }
        }
        Ok(())
    }

    /// Uploads another filter and activates it, while the sales go on.
    pub(super) fn swap(&self) -> Result<()> {
        say(
            "Hot swap: upload `premium-sale`, then activate it for the stage `valid`. Nothing is restarted; sums of the \
             windows from here on have only sales of 250.00 and more. The charts of the console get a mark where it happens.",
        );
        let plugin = |arguments: &[&str]| {
            let mut command = Command::new(&self.binary);
            command.arg("plugin").args(arguments).current_dir(&self.folder);
            run_command(command.args(["--url", &self.url]))
        };
        plugin(&["push", "premium-sale", "plugins/premium-sale.wasm"])?;
        plugin(&["activate", "demo", "valid", "premium-sale"])
    }

    /// Ends everything, the host with a last commit.
    pub(super) fn strike(mut self) -> Result<()> {
        say(
            "Ending: the producer first, then the host with a last commit. Windows still open stay in its state.",
        );
        self.producer.stop(STOP_LIMIT)?;
        let status = self.host.stop(STOP_LIMIT)?;
        if !status.success() {
            bail!("the host ended with {status}:\n{}", last_lines(&self.host.log(), 20));
        }
        Ok(())
    }
}

/// The port of which the documentation speaks, if nobody has it.
fn console_port() -> Result<u16> {
    const DOCUMENTED: u16 = 8080;
    if TcpListener::bind(("127.0.0.1", DOCUMENTED)).is_ok() { Ok(DOCUMENTED) } else { free_port() }
}

fn start_broker(
    workspace: &Workspace,
    options: &Options,
    binary: &Path,
    folder: &Path,
) -> Result<(Broker, String)> {
    match &options.broker {
        BrokerChoice::Yours(brokers) => {
            say(&format!("Broker: yours at {brokers}, topic `sales`."));
            Ok((Broker::Yours, brokers.clone()))
        }
        BrokerChoice::Kafka => {
            services::kafka::fetch(workspace)?;
            let kafka = Kafka::start(workspace, &folder.join("kafka"))?;
            let address = kafka.address();
            say(&format!("Broker: Apache Kafka at {address}."));
            Ok((Broker::Kafka(kafka), address))
        }
        BrokerChoice::Embedded => {
            let file = folder.join("broker.address");
            let mut broker = Command::new(binary);
            broker.args(["broker", "--topic", "sales:3", "--address-file"]).arg(&file);
            let mut daemon = Daemon::start(
                "the embedded broker",
                &broker,
                Output::Log(&folder.join("broker.log")),
            )?;
            let address = daemon.wait_ready(START_LIMIT, |_| fs::read_to_string(&file).ok())?;
            say(&format!(
                "Broker: embedded, at {address}. This is librdkafka's mock cluster, not Apache Kafka: it speaks \
                 Kafka's protocol over TCP, keeps about 5 MB of each partition in memory, then forgets the oldest. \
                 `--kafka` starts the real one, `--brokers HOST:PORT` uses yours."
            ));
            Ok((Broker::Embedded(daemon), address))
        }
    }
}
