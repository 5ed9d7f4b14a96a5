//! Prometheus: Debian's package, which has `promtool` in it as well.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::{apt_install, first_line, run};
use crate::daemon::{Daemon, Output, free_port};
use crate::http::request;

/// It is ready within a second on a quiet machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Installs it unless it is there.
pub fn fetch() -> Result<()> {
    let there =
        || ["prometheus", "promtool"].iter().all(|it| first_line(it, &["--version"]).is_some());
    if there() || apt_install(&["prometheus"])? && there() {
        return Ok(());
    }
    bail!(
        "Prometheus and its promtool are needed to test alerts and dashboards: apt-get install prometheus"
    )
}

/// Runs `promtool` with its output shown. What it finds wrong is an error.
pub fn promtool(arguments: &[&str], file: &Path) -> Result<()> {
    run(Command::new("promtool").args(arguments).arg(file))
}

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    _daemon: Daemon,
}

impl Prometheus {
    /// Starts a server with a configuration file; it keeps its samples in `folder`. It must have been fetched.
    pub fn start(folder: &Path, configuration: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("create `{}`", folder.display()))?;
        let port = free_port()?;
        let mut server = Command::new("prometheus");
        server
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("samples").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn");
        let log = folder.join("server.log");
        let mut daemon = Daemon::start("Prometheus", &server, Output::Log(&log))?;
        daemon.wait_ready(START_LIMIT, |_| {
            let answer = request(port, "GET", "/-/ready").ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        })?;
        Ok(Self { port, _daemon: daemon })
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
