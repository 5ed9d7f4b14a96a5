//! From checked bytes to machine code: in an operating-system process of its own, with a lock that only compiling needs, and kept.
//!
//! A compiler does not promise to survive hostile input in bounded time and memory
//! (docs/design/sandbox.md#s3), and a thread cannot be killed. So the host runs itself once more
//! ([`child`]), hands it the module, and takes back machine code or a refusal. What was compiled
//! once is found again ([`kept`]) without asking anybody.

pub mod child;
mod kept;
mod turn;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;

use serde::{Deserialize, Serialize};
use wasmparser::Encoding;
use wasmtime::Engine;
use wasmtime::component::Component;
use wit_component::ComponentEncoder;

use super::problem::LoadProblem;
use super::settings::EngineError;
use super::validate::{self, Checked};
use crate::contract::LIFECYCLE;
use crate::contract::{PACKAGE, speaks};
use crate::plugin::printable::printable;
use child::ChildCompiler;
use kept::Kept;
use sluicegate_model::module::ModuleDigest;
pub use turn::Patience;
use turn::Turns;

/// Stack of the thread that compiles: the compiler recurses over what the module nests.
const STACK_BYTES: usize = 32 << 20;

/// Who turns modules into machine code.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// This program itself. Nothing bounds its time and memory: for code that is one's own, in tests and benchmarks.
    Here,
    /// An operating-system process of its own for each module.
    Child(ChildCompiler),
}

impl Compiler {
    /// The `sluicegate` executable that is running, started once more for each module.
    pub fn own_binary() -> Self {
        Self::Child(ChildCompiler::own_binary())
    }
}

/// Compiles modules, and keeps what came of it.
pub(crate) struct Compiling {
    compiler: Compiler,
    kept: Kept,
    turns: Turns,
}

/// What came of a module. The bytes are machine code, and trusted as such: they come from [`make`] only, in this
/// program or in an operating-system process that it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// The interfaces that the component exports.
    pub(crate) exports: BTreeSet<String>,
    /// As wasmtime serialises it.
    artifact: Vec<u8>,
}

/// A module ready to be linked.
#[derive(Clone)]
pub(crate) struct Ready {
    pub(crate) component: Component,
    pub(crate) exports: BTreeSet<String>,
}

impl Compiling {
    /// `cache_dir`: where compiled modules outlive the program.
    pub(crate) fn new(
        engine: &Engine,
        cache_dir: Option<PathBuf>,
        compiler: Compiler,
    ) -> Result<Self, EngineError> {
        Ok(Self { compiler, kept: Kept::open(engine, cache_dir)?, turns: Turns::default() })
    }

    /// A module, compiled now or earlier. Only a module that nobody has compiled yet waits for others.
    pub(crate) fn ready(
        &self,
        engine: &Engine,
        digest: &ModuleDigest,
        module: &[u8],
        patience: &Patience,
    ) -> Result<Ready, LoadProblem> {
        if let Some(ready) = self.kept(engine, digest) {
            return Ok(ready);
        }
        // In time linear in its bytes, and most refusals come from here.
        validate::check(module)?;
        let _turn = self.turns.take(patience).ok_or(LoadProblem::Abandoned)?;
        if let Some(ready) = self.kept(engine, digest) {
            return Ok(ready);
        }
        let made = match &self.compiler {
            Compiler::Here => make(engine, module)?,
            Compiler::Child(child) => child.make(module, patience)?,
        };
        let component = load(engine, &made.artifact)
            .map_err(|error| LoadProblem::Compile(printable(&format!("{error:#}"))))?;
        let ready = Ready { component, exports: made.exports.clone() };
        self.kept.keep(digest, made, &ready);
        Ok(ready)
    }

    fn kept(&self, engine: &Engine, digest: &ModuleDigest) -> Option<Ready> {
        if let Some(ready) = self.kept.in_memory(digest) {
            return Some(ready);
        }
        let made = self.kept.on_disk(digest)?;
        // Of another wasmtime, perhaps: then it is compiled anew.
        let component = load(engine, &made.artifact).ok()?;
        let ready = Ready { component, exports: made.exports };
        self.kept.remember(digest, &ready, made.artifact.len());
        Some(ready)
    }
}

/// Machine code as something that can be linked.
#[expect(unsafe_code, reason = "wasmtime believes what it is given here")]
fn load(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: wasmtime wants bytes that `Engine::precompile_component` has made, unchanged. There are two ways to
    // come here, and both keep that. From `make`: in this program, or over a pipe that only the child holds which we
    // started, from our own executable, without anybody's environment. That child compiled hostile input; so would we
    // have, and a flaw that lets a module take over the compiler would have taken over this program instead. From a file
    // in a folder that belongs to this user and is closed to all others (mode 0700, checked at the start), written whole
    // under another name and renamed, with a hash that is compared first, so that neither a torn write nor a bad disk
    // passes. Who can write there can run code as this user anyway. Neither a store nor an upload ever leads here.
    unsafe { Component::deserialize(engine, artifact) }
}

/// Checks and compiles a module. All of it on a deep stack, and all of it bounded only by who calls.
fn make(engine: &Engine, module: &[u8]) -> Result<Made, LoadProblem> {
    let work = || {
        let CheckedComponent { bytes, checked } = to_component(module)?;
        let artifact = engine
            .precompile_component(&bytes)
            .map_err(|error| LoadProblem::Compile(printable(&format!("{error:#}"))))?;
        Ok(Made { exports: checked.exports, artifact })
    };
    thread::scope(|scope| {
        thread::Builder::new()
            .name("plugin-compiler".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|error| LoadProblem::Compile(error.to_string()))?
            .join()
            .map_err(|_| LoadProblem::Compile("the compiler panicked".to_owned()))?
    })
}

struct CheckedComponent {
    bytes: Vec<u8>,
    checked: Checked,
}

/// Takes a component as it is, and makes one of a core module with the contract embedded.
fn to_component(module: &[u8]) -> Result<CheckedComponent, LoadProblem> {
    let checked = validate::check(module)?;
    let component = match checked.encoding {
        Encoding::Component => CheckedComponent { bytes: module.to_vec(), checked },
        Encoding::Module => {
            let bytes = encode(module)?;
            let checked = validate::check(&bytes)?;
            CheckedComponent { bytes, checked }
        }
    };
    if !component.checked.exports.iter().any(|name| speaks(name, LIFECYCLE)) {
        return Err(LoadProblem::Contract(format!(
            "the module is not a plugin: it does not export `{LIFECYCLE}` of {PACKAGE} and its worlds `filter`, `map`, \
             `aggregate` and `process`; write it with sluicegate-sdk and its `export!`"
        )));
    }
    Ok(component)
}

fn encode(module: &[u8]) -> Result<Vec<u8>, LoadProblem> {
    let failed = |error: anyhow::Error| {
        LoadProblem::Contract(format!(
            "the module cannot be made a component: {}",
            printable(&format!("{error:#}"))
        ))
    };
    // What it makes is validated with our own features and limits.
    let encoder = ComponentEncoder::default().validate(false);
    encoder.module(module).and_then(|mut encoder| encoder.encode()).map_err(failed)
}

/// What stands before the machine code, in a pipe and in a file.
#[derive(Serialize, Deserialize)]
struct Head {
    exports: BTreeSet<String>,
}

impl Made {
    /// Length of the head (u32, little endian), the head as JSON, the machine code.
    fn to_bytes(&self) -> Vec<u8> {
        let head =
            serde_json::to_vec(&Head { exports: self.exports.clone() }).expect("names are JSON");
        let length = u32::try_from(head.len()).expect("a module has at most 10 MiB, names and all");
        let mut bytes = Vec::with_capacity(4 + head.len() + self.artifact.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&self.artifact);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (head, artifact) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let Head { exports } = serde_json::from_slice(head).ok()?;
        Some(Self { exports, artifact: artifact.to_vec() })
    }
}
