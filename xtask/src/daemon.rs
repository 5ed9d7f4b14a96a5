//! Running a program beside us, and being sure that it ends: when its [`Daemon`] is dropped, when we panic, and
//! when we are killed ourselves.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A running program in a process group of its own.
///
/// It dies with the **thread** that started it (the kernel's parent-death signal): start it from one that lives
/// as long as it should.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    child: Child,
    log: Option<PathBuf>,
}

/// Where a daemon's output goes.
#[derive(Clone, Copy, Debug)]
pub enum Output<'a> {
    /// Both streams to this file, made anew.
    Log(&'a Path),
    /// Standard output to ours, standard error to this file, made anew.
    Shown(&'a Path),
}

impl Daemon {
    /// Starts `program`. `name` is for messages.
    pub fn start(name: &str, program: &Command, output: Output<'_>) -> Result<Self> {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        command.arg(program.get_program()).args(program.get_args());
        for (key, value) in program.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        let (Output::Log(path) | Output::Shown(path)) = output;
        let log = File::create(path).with_context(|| format!("create `{}`", path.display()))?;
        if let Output::Log(_) = output {
            command.stdout(log.try_clone().context("share a log file")?);
        }
        let child =
            command.stderr(log).stdin(Stdio::null()).process_group(0).spawn().with_context(
                || format!("start {name} by `setpriv` (Debian package util-linux)"),
            )?;
        Ok(Self { name: name.to_owned(), child, log: Some(path.to_path_buf()) })
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id; also of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote so far to its log.
    pub fn log(&self) -> String {
        let text = self.log.as_ref().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Its exit status if it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("look after {}", self.name))
    }

    /// Waits until `ready` has something. An error, with the end of the log, if the program ends or `limit` passes.
    pub fn wait_ready<T>(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<T> {
        let found = wait_until(limit, || match self.ended() {
            Err(error) => Some(Err(error)),
            Ok(Some(status)) => Some(Err(anyhow::anyhow!("{} ended with {status}", self.name))),
            Ok(None) => ready(self).map(Ok),
        });
        let problem = match found {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => error,
            None => anyhow::anyhow!("{} was not ready within {} s", self.name, limit.as_secs()),
        };
        Err(problem.context(format!("log of {}:\n{}", self.name, last_lines(&self.log(), 30))))
    }

    /// SIGTERM, then waits for the end.
    pub fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(limit)
    }

    /// Sends a signal to the program itself.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid(), signal).with_context(|| format!("signal {}", self.name))
    }

    /// Sends a signal to the program and what it has started.
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        kill_process_group(self.pid(), signal).with_context(|| format!("signal {}", self.name))
    }

    /// Waits for the end. An error if it does not come.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        match wait_until(limit, || self.ended().transpose()) {
            Some(status) => status,
            None => {
                let log = last_lines(&self.log(), 30);
                bail!("{} did not end within {} s; its log:\n{log}", self.name, limit.as_secs())
            }
        }
    }

    /// SIGKILL to the whole group, then waits: after this nothing of it runs.
    pub fn kill(&mut self) {
        // A group that is gone already is what we want.
        let _gone = kill_process_group(self.pid(), Signal::KILL);
        let _reaped = self.child.wait();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Asks again and again until there is an answer or `limit` has passed.
#[expect(clippy::disallowed_methods, reason = "the one place that waits for other processes")]
pub fn wait_until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    /// Short against the quickest start (0.1 s), long against the cost of asking.
    const PAUSE: Duration = Duration::from_millis(20);
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// A TCP port of the loopback address that nobody listens on now. It is none of those that the machine gives to whoever connects
/// somewhere: one of them might be taken before it is used, or while a service that is killed starts again.
pub fn free_port() -> Result<u16> {
    const FROM: u16 = 15_000;
    const COUNT: u16 = 17_000;
    let random = || RandomState::new().hash_one(0) % u64::from(COUNT);
    let candidates = std::iter::repeat_with(random).take(1_000);
    let mut ports = candidates.filter_map(|number| FROM.checked_add(u16::try_from(number).ok()?));
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).context("find a free port")
}

/// Whether somebody takes connections at a loopback port.
pub fn is_listening(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}

/// The end of a text, for messages.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
