//! An S3 server: ministack from PyPI in a virtual environment. It decides create-only races for exactly one winner,
//! keeps what it was given when it is killed, and checks no signatures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use super::{fetched, python};
use crate::daemon::{Daemon, Output, free_port};
use crate::http::request;
use crate::workspace::Workspace;

const REQUIREMENT: &str = "ministack==1.5.33";

/// It is there within 0.5 s on a quiet machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Installs the server into `target/services/ministack` unless it is there.
pub fn fetch(workspace: &Workspace) -> Result<()> {
    let home = home(workspace);
    fetched(&home, || python::environment(&home, "the S3 server", &[REQUIREMENT]))
}

fn home(workspace: &Workspace) -> PathBuf {
    workspace.services().join("ministack")
}

/// A running S3 server. Dropped, it is killed.
#[derive(Debug)]
pub struct Ministack {
    home: PathBuf,
    folder: PathBuf,
    port: u16,
    daemon: Daemon,
}

impl Ministack {
    /// Starts a server that keeps its objects in `folder`. It must have been fetched.
    pub fn start(workspace: &Workspace, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("create `{}`", folder.display()))?;
        let (home, port) = (home(workspace), free_port()?);
        let daemon = launch(&home, folder, port)?;
        Ok(Self { home, folder: folder.to_path_buf(), port, daemon })
    }

    /// `http://host:port`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket. Names have at least three characters.
    pub fn create_bucket(&self, name: &str) -> Result<()> {
        let answer = request(self.port, "PUT", &format!("/{name}")).context("ask the S3 server")?;
        if !answer.starts_with("HTTP/1.1 200") {
            bail!("create bucket `{name}`: {answer}");
        }
        Ok(())
    }

    /// It answers nobody until [`Ministack::thaw`]; connections stay.
    pub fn freeze(&self) -> Result<()> {
        self.daemon.signal_all(Signal::STOP)
    }

    /// It goes on.
    pub fn thaw(&self) -> Result<()> {
        self.daemon.signal_all(Signal::CONT)
    }

    /// Kills the server. Its folder stays.
    pub fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Starts it again on the same folder and the same port after [`Ministack::kill`].
    pub fn restart(&mut self) -> Result<()> {
        self.daemon = launch(&self.home, &self.folder, self.port)?;
        Ok(())
    }
}

fn launch(home: &Path, folder: &Path, port: u16) -> Result<Daemon> {
    let mut server = Command::new(home.join("bin").join("ministack"));
    server
        .env("GATEWAY_PORT", port.to_string())
        .env("BIND_HOST", "127.0.0.1")
        .env("MINISTACK_HOST", "127.0.0.1")
        .env("SERVICES", "s3")
        .env("PERSIST_STATE", "1")
        .env("STATE_DIR", folder.join("state"))
        .env("S3_PERSIST", "1")
        .env("S3_DATA_DIR", folder.join("objects"));
    let mut daemon =
        Daemon::start("the S3 server", &server, Output::Log(&folder.join("server.log")))?;
    daemon.wait_ready(START_LIMIT, |_| {
        let answer = request(port, "GET", "/_localstack/health").ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(())
    })?;
    Ok(daemon)
}
