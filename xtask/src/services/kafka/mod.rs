//! Apache Kafka, KRaft: its jars from Maven Central, one broker on two free ports, one that a controller
//! leads, or three of a cluster.

mod cluster;
mod led;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output as Outcome};
use std::time::Duration;

use anyhow::{Context, Result, bail};

pub use cluster::{BROKERS, Cluster};
pub use led::Led;

use super::{certificates, fetched};
use crate::command::{apt_install, first_line, run};
use crate::daemon::{Daemon, Output, free_port};
use crate::workspace::Workspace;

/// Pinned: 4.4.0 does not resolve from Maven Central.
const VERSION: &str = "4.3.1";
const POM: &str = include_str!("pom.xml");
const SERVER_PROPERTIES: &str = include_str!("server.properties");
const SECURED_PROPERTIES: &str = include_str!("secured.properties");
const LOG4J_PROPERTIES: &str = include_str!("log4j2.properties");

/// Whom a secured broker knows, by PLAIN and by both SCRAM mechanisms.
pub const USER: &str = "reader";

/// The password of [`USER`].
pub const PASSWORD: &str = "only-for-tests";

/// Any 16 bytes in URL-safe base64 will do: nothing but the folders of a broker or three know the cluster.
const CLUSTER_ID: &str = "c2x1aWNlZ2F0ZS10ZXN0cw";

/// Throughput is not what these brokers are for.
const HEAP: &str = "-Xmx512m";

/// Starting takes 2 to 7 s on a quiet machine; a busy one may need ten times that.
const START_LIMIT: Duration = Duration::from_secs(90);

/// Puts the broker's jars into `target/services/kafka-<version>` unless they are there.
pub fn fetch(workspace: &Workspace) -> Result<()> {
    require_java()?;
    let home = home(workspace);
    fetched(&home, || {
        if first_line("mvn", &["--version"]).is_none() && !apt_install(&["maven"])? {
            bail!("Maven is needed to fetch Apache Kafka: apt-get install maven");
        }
        fs::write(home.join("pom.xml"), POM).context("write pom.xml")?;
        fs::write(home.join("log4j2.properties"), LOG4J_PROPERTIES)
            .context("write log4j2.properties")?;
        let mut maven = Command::new("mvn");
        maven.args(["-B", "-q", "-ntp", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
        run(maven.arg("-DoutputDirectory=libs").current_dir(&home))
            .context("fetch Apache Kafka from Maven Central")
    })
}

/// Apache Kafka 4 runs on Java 17 and later.
fn require_java() -> Result<()> {
    if first_line("java", &["-version"]).is_some()
        || apt_install(&["openjdk-17-jre-headless"])? && first_line("java", &["-version"]).is_some()
    {
        return Ok(());
    }
    bail!("Java 17 is needed to run Apache Kafka: apt-get install openjdk-17-jre-headless")
}

fn home(workspace: &Workspace) -> PathBuf {
    workspace.services().join(format!("kafka-{VERSION}"))
}

/// A running broker. Dropped, it is killed. Topics must be created; they are not made by asking for them.
#[derive(Debug)]
pub struct Kafka {
    home: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Of the listeners besides the first.
    more_ports: Vec<u16>,
    heap: &'static str,
    daemon: Daemon,
}

impl Kafka {
    /// Formats an empty log in `folder` and starts a broker on it. The jars must have been fetched.
    pub fn start(workspace: &Workspace, folder: &Path) -> Result<Self> {
        Self::start_behind(workspace, folder, &[])
    }

    /// The same, and for each of `ports` it has one more listener, which it tells its clients to be at that port. Somebody
    /// listens there and passes on what comes to [`Kafka::behind`].
    pub fn start_behind(workspace: &Workspace, folder: &Path, ports: &[u16]) -> Result<Self> {
        Self::start_with(workspace, folder, &behind(ports)?, "", &[])
    }

    /// The same, with two listeners more, [`Kafka::secured`] and [`Kafka::mutual`], and certificates in its folder.
    pub fn start_secured(workspace: &Workspace, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("create `{}`", folder.display()))?;
        certificates::make(folder)?;
        let listener = |name: &str, protocol| -> Result<Listener> {
            let port = free_port()?;
            Ok(Listener { name: name.to_owned(), protocol, port, advertised: port })
        };
        let listeners = [listener("SECURED", "SASL_SSL")?, listener("MUTUAL", "SSL")?];
        let scram = |hash| format!("SCRAM-SHA-{hash}=[name={USER},password={PASSWORD}]");
        let format = ["--add-scram", &scram(256), "--add-scram", &scram(512)];
        Self::start_with(workspace, folder, &listeners, SECURED_PROPERTIES, &format)
    }

    fn start_with(
        workspace: &Workspace,
        folder: &Path,
        more: &[Listener],
        lines: &str,
        format_arguments: &[&str],
    ) -> Result<Self> {
        let (home, ports) =
            (home(workspace), Ports { broker: free_port()?, controller: free_port()? });
        write_properties(folder, ports, more, lines)?;
        let mut format = format(&home, folder);
        let formatted = format.arg("--standalone").args(format_arguments).output();
        is_formatted(&formatted.context("run `java`")?)?;
        let mut daemon = spawn(&home, folder, HEAP)?;
        wait_until_started(&mut daemon)?;
        let more_ports = more.iter().map(|listener| listener.port).collect();
        let folder = folder.to_path_buf();
        Ok(Self { home, folder, port: ports.broker, more_ports, heap: HEAP, daemon })
    }

    /// `host:port` of the broker.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `host:port` of the listener that it advertises at the port of that number.
    pub fn behind(&self, number: usize) -> String {
        format!("127.0.0.1:{}", self.more_ports[number])
    }

    /// `host:port` of the listener with TLS that wants [`USER`] and [`PASSWORD`].
    pub fn secured(&self) -> String {
        format!("127.0.0.1:{}", self.more_ports[0])
    }

    /// `host:port` of the listener with TLS that wants a certificate.
    pub fn mutual(&self) -> String {
        format!("127.0.0.1:{}", self.more_ports[1])
    }

    /// The broker's process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Kills the broker, as a power cut would. Its folder stays.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Starts it again on the same folder and the same port after [`Kafka::kill`].
    pub fn restart(&mut self) -> Result<()> {
        self.daemon = spawn(&self.home, &self.folder, self.heap)?;
        wait_until_started(&mut self.daemon)
    }
}

/// One besides the first.
struct Listener {
    name: String,
    protocol: &'static str,
    /// Where it is.
    port: u16,
    /// Where it tells clients to be.
    advertised: u16,
}

/// The lines with more listeners. Of a key that comes twice the last one counts.
fn listeners(more: &[Listener]) -> String {
    let own = "PLAINTEXT://127.0.0.1:@BPORT@";
    let list = |port: fn(&Listener) -> u16| -> String {
        more.iter().map(|one| format!(",{}://127.0.0.1:{}", one.name, port(one))).collect()
    };
    let protocols: String =
        more.iter().map(|one| format!(",{}:{}", one.name, one.protocol)).collect();
    format!(
        "listeners={own},CONTROLLER://127.0.0.1:@CPORT@{}\nadvertised.listeners={own}{}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}\n",
        list(|one| one.port),
        list(|one| one.advertised),
    )
}

/// Those that lead to somebody who listens at these ports and passes on what comes.
fn behind(ports: &[u16]) -> Result<Vec<Listener>> {
    let listener = |(number, port): (usize, &u16)| {
        let name = format!("BEHIND{number}");
        Ok(Listener { name, protocol: "PLAINTEXT", port: free_port()?, advertised: *port })
    };
    ports.iter().enumerate().map(listener).collect()
}

/// Of the first listener of a broker, and of its voice in the quorum.
#[derive(Clone, Copy)]
struct Ports {
    broker: u16,
    controller: u16,
}

/// Into a folder that is made if it is not there.
fn write_properties(folder: &Path, ports: Ports, more: &[Listener], lines: &str) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create `{}`", folder.display()))?;
    let template = SERVER_PROPERTIES.to_owned() + &listeners(more) + lines;
    let properties = template
        .replace("@BPORT@", &ports.broker.to_string())
        .replace("@CPORT@", &ports.controller.to_string())
        .replace("@DIR@", &folder.display().to_string());
    fs::write(folder.join("server.properties"), properties).context("write server.properties")
}

/// Makes an empty log as the properties in `folder` say.
fn format(home: &Path, folder: &Path) -> Command {
    let mut format = java(home, HEAP);
    format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]);
    format.arg(folder.join("server.properties"));
    format
}

fn is_formatted(outcome: &Outcome) -> Result<()> {
    if !outcome.status.success() {
        let said = String::from_utf8_lossy(&outcome.stdout);
        bail!("format Kafka's log: {said}{}", String::from_utf8_lossy(&outcome.stderr));
    }
    Ok(())
}

fn spawn(home: &Path, folder: &Path, heap: &str) -> Result<Daemon> {
    let mut broker = java(home, heap);
    broker.arg("kafka.Kafka").arg(folder.join("server.properties"));
    Daemon::start("Apache Kafka", &broker, Output::Log(&folder.join("broker.log")))
}

fn wait_until_started(daemon: &mut Daemon) -> Result<()> {
    daemon.wait_ready(START_LIMIT, |daemon| {
        daemon.log().contains("Kafka Server started").then_some(())
    })
}

/// Java set up to start quickly and stay small.
fn java(home: &Path, heap: &str) -> Command {
    let mut java = Command::new("java");
    java.args(["-Xms64m", heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    java.args(["-Xshare:auto", "-XX:-UsePerfData"]);
    java.arg(format!("-Dlog4j2.configurationFile={}", home.join("log4j2.properties").display()));
    java.arg("-cp").arg(home.join("libs").join("*"));
    java
}
