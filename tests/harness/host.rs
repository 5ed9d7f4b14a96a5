//! The `sluicegate` binary: commands that end, and hosts that run until they are stopped or killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use reqwest::blocking::Client;
use serde_json::Value;
use xtask::daemon::{self, Daemon, free_port, is_listening};
use xtask::workspace::Workspace;

use super::place::Place;
use super::{PATIENCE, services};

/// The binary under test: `SLUICEGATE_BIN`, else the one in the dev profile's folder.
#[expect(clippy::disallowed_methods, reason = "`cargo xtask test` says where the binary is")]
pub fn binary() -> PathBuf {
    let path = std::env::var("SLUICEGATE_BIN")
        .map_or_else(|_| Workspace::here().host_binary("debug"), PathBuf::from);
    assert!(path.exists(), "`{}` is missing: cargo build --workspace", path.display());
    path
}

/// A command of the binary in the folder and the environment of a place.
pub fn sluicegate(place: &Place) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(place.folder.path()).stdin(Stdio::null());
    command.envs(place.environment.iter().map(|(name, value)| (name, value)));
    command
}

/// Runs a command to its end, whatever that is. Panics if it does not end.
pub fn ended(command: &mut Command) -> Output {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start sluicegate");
    // Both are short: they fit the pipes, so nobody waits for a reader.
    let status = daemon::wait_until(PATIENCE, || child.try_wait().unwrap());
    if status.is_none() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert!(status.is_some(), "{command:?} does not end: {output:?}");
    output
}

/// Runs a pipeline to its end; panics with what it said unless that is a good one.
#[track_caller]
pub fn run_to_end(place: &Place, pipeline: &Path) {
    let mut host = Host::run(place, pipeline);
    let status = host.daemon.wait(PATIENCE).unwrap();
    assert!(status.success(), "run ended with {status}:\n{}", host.daemon.log());
}

/// A running host. Dropped, it is killed; it must not outlive the thread that started it.
pub struct Host {
    /// The process.
    pub daemon: Daemon,
    /// `http://host:port`; of `serve` only.
    pub url: String,
}

impl Host {
    /// `sluicegate run`.
    pub fn run(place: &Place, pipeline: &Path) -> Self {
        let mut command = sluicegate(place);
        let log = place.folder.path().join("host.log");
        Self::start(command.arg("run").arg(pipeline), String::new(), &log)
    }

    /// `sluicegate serve`, ready to be asked.
    pub fn serve(place: &Place, pipeline: &Path) -> Self {
        Self::serve_logging(place, pipeline, "host.log")
    }

    /// The same, with a log of that name: several hosts have one place.
    pub fn serve_logging(place: &Place, pipeline: &Path, log: &str) -> Self {
        Self::launch(place, pipeline, log, &[]).listening()
    }

    /// The same, begun by another program that becomes it.
    pub fn serve_under(starter: &[&str], place: &Place, pipeline: &Path) -> Self {
        let port = free_port().unwrap();
        let (own, mut command) = (sluicegate(place), Command::new(starter[0]));
        command.args(&starter[1..]).arg(own.get_program()).current_dir(place.folder.path());
        command.arg("serve").arg(pipeline).args(["--listen", &format!("127.0.0.1:{port}")]);
        let url = format!("http://127.0.0.1:{port}");
        Self::start(&command, url, &place.folder.path().join("host.log")).listening()
    }

    fn listening(mut self) -> Self {
        let port = self.url.rsplit(':').next().unwrap().parse().unwrap();
        self.daemon.wait_ready(PATIENCE, |_| is_listening(port).then_some(())).unwrap();
        self
    }

    /// `sluicegate serve`, only just begun, with more environment.
    pub fn launch(place: &Place, pipeline: &Path, log: &str, more: &[(&str, &str)]) -> Self {
        let port = free_port().unwrap();
        let mut command = sluicegate(place);
        command.arg("serve").arg(pipeline).args(["--listen", &format!("127.0.0.1:{port}")]);
        command.envs(more.iter().copied());
        let url = format!("http://127.0.0.1:{port}");
        Self::start(&command, url, &place.folder.path().join(log))
    }

    fn start(command: &Command, url: String, log: &Path) -> Self {
        let daemon = Daemon::start("sluicegate", command, daemon::Output::Log(log)).unwrap();
        Self { daemon, url }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.daemon.kill();
    }

    /// SIGTERM: a last commit, then a good end.
    #[track_caller]
    pub fn stop(mut self) {
        let status = self.daemon.stop(PATIENCE).unwrap();
        assert!(status.success(), "stop ended with {status}:\n{}", self.daemon.log());
    }

    /// Whether it can be asked.
    pub fn is_heard(&self) -> bool {
        is_listening(self.url.rsplit(':').next().unwrap().parse().unwrap())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// GET of a path, as JSON.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let answer = reqwest::blocking::get(format!("{}{path}", self.url)).unwrap();
        assert!(answer.status().is_success(), "GET {path}: {answer:?}");
        answer.json().unwrap()
    }

    /// POST of JSON; whatever the answer is.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        // An activation is answered when its record is durable.
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        let answer = client.post(format!("{}{path}", self.url)).json(body).send().unwrap();
        (answer.status().as_u16(), answer.json().unwrap())
    }

    /// Uploads a compiled plugin under a name.
    #[track_caller]
    pub fn upload(&self, name: &str, plugin: &str) {
        self.upload_file(name, &services::plugin(plugin));
    }

    /// Uploads whatever stands in a file.
    #[track_caller]
    pub fn upload_file(&self, name: &str, path: &Path) {
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        let answer = client
            .put(format!("{}/v1/modules/{name}", self.url))
            .header("content-type", "application/wasm")
            .body(std::fs::read(path).unwrap())
            .send()
            .unwrap();
        assert!(answer.status().is_success(), "upload {name}: {:?}", answer.text());
    }

    /// Activates the newest version of a module for a stage of a pipeline; the answer is that of a good end.
    #[track_caller]
    pub fn activate(&self, pipeline: &str, stage: &str, module: &str) -> Value {
        let body = serde_json::json!({ "stage": stage, "module": module });
        let (status, answer) = self.post(&format!("/v1/pipelines/{pipeline}/releases"), &body);
        assert_eq!(status, 200, "activate {module}: {answer}");
        answer
    }
}
