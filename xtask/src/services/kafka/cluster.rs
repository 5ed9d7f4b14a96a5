//! Three brokers of one cluster, each of which has a voice in the quorum: one of them may be away.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};

use super::{
    Kafka, Ports, behind, format, free_port, home, is_formatted, spawn, wait_until_started,
    write_properties,
};
use crate::workspace::Workspace;

/// How many there are.
pub const BROKERS: usize = 3;

/// There are three of them, beside all else.
const HEAP: &str = "-Xmx256m";

const PROPERTIES: &str = include_str!("cluster.properties");

/// A running cluster. Dropped, its brokers are killed.
#[derive(Debug)]
pub struct Cluster {
    /// Kafka's number of each is one more than its place.
    pub brokers: [Kafka; BROKERS],
}

impl Cluster {
    /// Formats empty logs in `folder` and starts brokers on them. Broker n has one more listener for each of `ports[n]`, which it
    /// tells its clients to be at that port. The jars must have been fetched.
    pub fn start(
        workspace: &Workspace,
        folder: &Path,
        ports: &[Vec<u16>; BROKERS],
    ) -> Result<Self> {
        let home = home(workspace);
        let controllers = [free_port()?, free_port()?, free_port()?];
        let voter = |(number, port): (usize, &u16)| format!("{}@127.0.0.1:{port}", number + 1);
        let voters: Vec<_> = controllers.iter().enumerate().map(voter).collect();
        let mut formats = Vec::new();
        for (number, controller) in controllers.into_iter().enumerate() {
            let folder = folder.join(format!("broker-{}", number + 1));
            let (more, id) = (behind(&ports[number])?, (number + 1).to_string());
            let lines = PROPERTIES.replace("@ID@", &id).replace("@VOTERS@", &voters.join(","));
            let broker = free_port()?;
            write_properties(&folder, Ports { broker, controller }, &more, &lines)?;
            let mut format = format(&home, &folder);
            format.stdout(Stdio::piped()).stderr(Stdio::piped());
            formats.push((format.spawn().context("run `java`")?, folder, broker, more));
        }
        let mut brokers = Vec::new();
        for (format, folder, port, more) in formats {
            is_formatted(&format.wait_with_output().context("run `java`")?)?;
            let daemon = spawn(&home, &folder, HEAP)?;
            let more_ports = more.iter().map(|listener| listener.port).collect();
            let home = home.clone();
            brokers.push(Kafka { home, folder, port, more_ports, heap: HEAP, daemon });
        }
        brokers.iter_mut().try_for_each(|broker| wait_until_started(&mut broker.daemon))?;
        let brokers = brokers.try_into().ok().context("as many brokers as ports")?;
        Ok(Self { brokers })
    }

    /// `host:port` of each broker, separated by commas.
    pub fn addresses(&self) -> String {
        self.brokers.each_ref().map(Kafka::address).join(",")
    }
}
