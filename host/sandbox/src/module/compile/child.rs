//! The compiler's operating-system process: both ends of it.
//!
//! ```text
//! host ──► child   stdin: limits (two u64, little endian), the module, end
//! host ◄── child   stdout: MARK, one byte, then what was made (0) or the refusal as JSON (1), end
//! ```
//!
//! The child limits itself before it reads the module, and dies with the thread that waits for it. It has no
//! environment, no connections, and nothing of ours but the module.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use wasmtime::Engine;

use super::turn::LOOK_EVERY;
use super::{Made, Patience, make};
use crate::module::problem::{LoadProblem, MODULE_BYTES_MAX};
use crate::module::settings::settings;
use crate::plugin::printable::printable;

/// The argument with which the host runs itself as a compiler.
pub const COMMAND: &str = "compile-plugin";

/// Begins the answer. A test's child says other things before.
const MARK: &[u8; 16] = b"\0sluicegate-made";
/// What may stand before it, and on standard error.
const CHATTER_BYTES_MAX: usize = 4 << 10;
/// Bytes of an answer: machine code is a few times as long as its module.
const ANSWER_BYTES_MAX: usize = 256 << 20;
const MADE: u8 = 0;
const REFUSED: u8 = 1;

/// How a child is started, and what it may use.
#[derive(Clone, Debug)]
pub struct ChildCompiler {
    program: PathBuf,
    arguments: Vec<String>,
    limits: CompileLimits,
}

/// What compiling one module may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Of CPU time. A plugin in Rust takes a fraction of one, an interpreter of another language some.
    pub seconds: u64,
    /// Of address space, the compiler's own code and stacks included.
    pub bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { seconds: 30, bytes: 1 << 30 }
    }
}

impl ChildCompiler {
    /// The executable that is running, also when its file was replaced meanwhile.
    pub fn own_binary() -> Self {
        let program = PathBuf::from("/proc/self/exe");
        Self::of(program, vec![COMMAND.to_owned()], CompileLimits::default())
    }

    /// A program that calls [`serve_host`].
    pub fn of(program: PathBuf, arguments: Vec<String>, limits: CompileLimits) -> Self {
        Self { program, arguments, limits }
    }

    /// Has a module compiled. Kills the child when the patience ends.
    pub(crate) fn make(&self, module: &[u8], patience: &Patience) -> Result<Made, LoadProblem> {
        let failed = |error: io::Error| LoadProblem::NoProcess(error.to_string());
        let mut running = self.start().map_err(failed)?;
        let heard = running.converse(self.limits, module, patience).map_err(failed)?;
        let Some(Heard { answer, errors }) = heard else { return Err(LoadProblem::Abandoned) };
        let status = running.0.wait().map_err(failed)?;
        match answer_of(&answer) {
            Some(answer) if status.success() => answer,
            _ => Err(self.end(status, &errors)),
        }
    }

    fn start(&self) -> io::Result<Running> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C is meant for the host, which goes on until the module is there.
        command.process_group(0);
        command.spawn().map(Running)
    }

    /// Why a child ended without an answer.
    fn end(&self, status: ExitStatus, errors: &[u8]) -> LoadProblem {
        let errors = String::from_utf8_lossy(errors);
        let CompileLimits { seconds, bytes } = self.limits;
        let says = |words: &str| errors.contains(words);
        if status.signal() == Some(Signal::XCPU.as_raw()) {
            LoadProblem::TooSlow { seconds }
        } else if let Some(signal @ (1..=3 | 9 | 15)) = status.signal() {
            // HUP, INT, QUIT, KILL and TERM come from outside.
            LoadProblem::Killed(format!("signal {signal}"))
        } else if says("memory allocation of") || says("Cannot allocate memory") {
            LoadProblem::TooHungry { mebibytes: bytes >> 20 }
        } else if says("overflowed its stack") {
            LoadProblem::Compile("it is nested too deeply".to_owned())
        } else {
            LoadProblem::Compile(printable(&format!(
                "the compiler ended with {status}: {}",
                errors.trim()
            )))
        }
    }
}

/// A child, killed when nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended is not there to be killed, and only to be waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a child has written.
#[derive(Default)]
struct Heard {
    answer: Vec<u8>,
    errors: Vec<u8>,
}

impl Running {
    /// Hands over the module and listens until the child has no more to say. None: the patience ended first.
    fn converse(
        &mut self,
        limits: CompileLimits,
        module: &[u8],
        patience: &Patience,
    ) -> io::Result<Option<Heard>> {
        let mut stdin = self.0.stdin.take().expect("it was piped");
        let CompileLimits { seconds, bytes } = limits;
        let request = [&seconds.to_le_bytes()[..], &bytes.to_le_bytes(), module];
        let handed = request.iter().try_for_each(|part| stdin.write_all(part));
        // One that died of its limits before it has read everything is heard out all the same.
        if let Err(error) = handed
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(error);
        }
        drop(stdin);
        let mut heard = Heard::default();
        let (mut out, mut err) = (self.0.stdout.take(), self.0.stderr.take());
        while out.is_some() || err.is_some() {
            if patience.is_over() {
                return Ok(None);
            }
            let ready = Ready::of(out.as_ref(), err.as_ref())?;
            if ready.out && !listen(&mut out, &mut heard.answer, ANSWER_BYTES_MAX)? {
                out = None;
            }
            if ready.err && !listen(&mut err, &mut heard.errors, CHATTER_BYTES_MAX)? {
                err = None;
            }
        }
        Ok(Some(heard))
    }
}

/// Which of the streams of a child can be read without waiting.
struct Ready {
    out: bool,
    err: bool,
}

impl Ready {
    /// Waits for one of them, and no longer than a while.
    fn of(out: Option<&impl AsFd>, err: Option<&impl AsFd>) -> io::Result<Self> {
        let mut waiting = Vec::with_capacity(2);
        waiting.extend(out.map(|out| PollFd::new(out, PollFlags::IN)));
        waiting.extend(err.map(|err| PollFd::new(err, PollFlags::IN)));
        let wait = Timespec::try_from(LOOK_EVERY).expect("a moment");
        match poll(&mut waiting, Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = waiting.iter().map(|fd| !fd.revents().is_empty());
        let mut next = |is_waited_for: bool| is_waited_for && ready.next().unwrap_or(false);
        let out = next(out.is_some());
        Ok(Self { out, err: next(err.is_some()) })
    }
}

/// Reads what is there; false at the end, and when there is too much. Of what is too much the beginning is kept.
fn listen(from: &mut Option<impl Read>, heard: &mut Vec<u8>, most: usize) -> io::Result<bool> {
    let Some(from) = from else { return Ok(false) };
    let mut buffer = [0; 64 << 10];
    let read = from.read(&mut buffer)?;
    let room = most.saturating_sub(heard.len()).min(read);
    heard.extend_from_slice(&buffer[..room]);
    Ok(read > 0 && heard.len() < most)
}

fn answer_of(answer: &[u8]) -> Option<Result<Made, LoadProblem>> {
    let chatter = &answer[..answer.len().min(CHATTER_BYTES_MAX)];
    let at = chatter.windows(MARK.len()).position(|bytes| bytes == MARK)?;
    let (kind, body) = answer[at + MARK.len()..].split_first()?;
    match *kind {
        MADE => Made::from_bytes(body).map(Ok),
        REFUSED => serde_json::from_slice(body).ok().map(Err),
        _ => None,
    }
}

/// The child: reads limits and a module from stdin, writes the compiled module or the refusal to stdout. Fails only if
/// the pipes or the limits do.
pub fn serve_host() -> ExitCode {
    match serve(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever listened may have gone.
            let _gone = writeln!(io::stderr().lock(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(stdin: &mut impl Read, stdout: &mut impl Write) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let (mut seconds, mut bytes) = ([0; 8], [0; 8]);
    stdin.read_exact(&mut seconds)?;
    stdin.read_exact(&mut bytes)?;
    let limits =
        CompileLimits { seconds: u64::from_le_bytes(seconds), bytes: u64::from_le_bytes(bytes) };
    limits.apply()?;
    let mut module = Vec::new();
    stdin.take(MODULE_BYTES_MAX as u64).read_to_end(&mut module)?;
    let engine =
        Engine::new(&settings()).map_err(|error| io::Error::other(format!("{error:#}")))?;
    let (kind, body) = match make(&engine, &module) {
        Ok(made) => (MADE, made.to_bytes()),
        Err(problem) => (REFUSED, serde_json::to_vec(&problem)?),
    };
    stdout.write_all(MARK)?;
    stdout.write_all(&[kind])?;
    stdout.write_all(&body)?;
    stdout.flush()
}

impl CompileLimits {
    /// Limits this operating-system process, for good.
    fn apply(self) -> io::Result<()> {
        let limit = |resource, most| {
            setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
        };
        limit(Resource::Core, 0)?;
        limit(Resource::As, self.bytes)?;
        // The signal that says so comes at the first of the two, the end a second later.
        let last = Some(self.seconds + 1);
        setrlimit(Resource::Cpu, Rlimit { current: Some(self.seconds), maximum: last })?;
        // Lanes have work to do meanwhile. Whoever is not allowed to be so polite goes on.
        let _ = rustix::process::nice(10);
        Ok(())
    }
}
