//! A broker whose controller is a process of its own: it can be taken for dead, which nothing else does to the only broker.

use std::path::Path;

use anyhow::{Context, Result};

use super::{
    Kafka, Ports, format, free_port, home, is_formatted, spawn, wait_until_started,
    write_properties,
};
use crate::daemon::Daemon;
use crate::workspace::Workspace;

const HEAP: &str = "-Xmx256m";

/// Of both. A broker that wakes up is taken back at its second sign of life, and lists no broker until then: long enough for
/// every client to see.
const BOTH: &str = "controller.quorum.voters=2@127.0.0.1:@CPORT@
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=4000
";

const CONTROLLER: &str = "process.roles=controller
node.id=2
listeners=CONTROLLER://127.0.0.1:@CPORT@
advertised.listeners=CONTROLLER://127.0.0.1:@CPORT@
";

const BROKER: &str = "process.roles=broker
listeners=PLAINTEXT://127.0.0.1:@BPORT@
";

/// The two processes. Dropped, they are killed.
#[derive(Debug)]
pub struct Led {
    /// The only broker.
    pub broker: Kafka,
    _controller: Daemon,
}

impl Led {
    /// Formats empty logs in `folder` and starts both on them. The jars must have been fetched.
    pub fn start(workspace: &Workspace, folder: &Path) -> Result<Self> {
        let home = home(workspace);
        let ports = Ports { broker: free_port()?, controller: free_port()? };
        let launch = |name: &str, lines: &str| -> Result<_> {
            let folder = folder.join(name);
            write_properties(&folder, ports, &[], &(BOTH.to_owned() + lines))?;
            is_formatted(&format(&home, &folder).output().context("run `java`")?)?;
            Ok((spawn(&home, &folder, HEAP)?, folder))
        };
        let (controller, _) = launch("controller", CONTROLLER)?;
        let (mut daemon, folder) = launch("broker", BROKER)?;
        wait_until_started(&mut daemon)?;
        let (port, more_ports) = (ports.broker, Vec::new());
        let broker = Kafka { home, folder, port, more_ports, heap: HEAP, daemon };
        Ok(Self { broker, _controller: controller })
    }
}
