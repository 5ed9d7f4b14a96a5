//! What a guest can reach: `log` and `count`, both bounded per call, and lines also per minute. There is nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, StoreContextMut, UpdateDeadline};

use super::heard::Heard;
use super::memory::MemoryLimit;
use crate::contract::bindings::sluicegate::plugin::host::{self, Level};
use crate::plugin::printable::printable;
use sluicegate_model::time::thread_cpu_nanos;

/// Log lines of one call that reach the host's log: enough for a few words about a batch, not for one about a row.
const LOG_LINES_MAX: u32 = 16;
/// Calls of `count` in one call that are heard: a few counters, added once or a few times a batch.
const COUNTS_MAX: u32 = 256;
/// Counters of one plugin: each is a time series of the metrics.
const COUNTERS_MAX: usize = 32;
/// Bytes of a counter's name.
const COUNTER_NAME_BYTES_MAX: usize = 64;

/// Everything that the host keeps for one instance.
pub(crate) struct GuestState {
    /// Of the plugin, for log lines.
    pub(crate) name: Arc<str>,
    pub(crate) memory: MemoryLimit,
    /// CPU time of the thread at which the running call ends, nanoseconds.
    pub(crate) deadline_nanos: u64,
    /// What the running call said.
    pub(crate) said: Said,
    /// What all instances of the stage may say.
    pub(crate) heard: Arc<Heard>,
}

/// What a guest said during one call.
#[derive(Debug, Default)]
pub(crate) struct Said {
    lines: u32,
    counts: u32,
    /// Counts beyond the bounds, or with names that are none.
    pub(crate) dropped_counts: u64,
    pub(crate) dropped_lines: u64,
    /// Counter → sum.
    pub(crate) counted: BTreeMap<String, u64>,
    /// The last line of level error: the message of a panic, when there was one.
    pub(crate) last_error: Option<String>,
}

/// Links the functions of the host, one by one. This is all there is.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    host::add_to_linker::<GuestState, HasSelf<GuestState>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl host::Host for GuestState {
    fn log(&mut self, level: Level, text: String) {
        let heard = self.said.lines < LOG_LINES_MAX && self.heard.takes_a_line(&self.name);
        if !heard {
            self.said.dropped_lines += 1;
        }
        // A flood costs the host next to nothing.
        if !heard && level != Level::Error {
            return;
        }
        let line = printable(&text);
        if level == Level::Error {
            self.said.last_error = Some(line.clone());
        }
        if !heard {
            return;
        }
        self.said.lines += 1;
        let plugin = &*self.name;
        match level {
            Level::Debug => tracing::debug!(plugin, "{line}"),
            Level::Info => tracing::info!(plugin, "{line}"),
            Level::Warn => tracing::warn!(plugin, "{line}"),
            Level::Error => tracing::error!(plugin, "{line}"),
        }
    }

    fn count(&mut self, name: String, n: u64) {
        let room = self.said.counted.len() < COUNTERS_MAX || self.said.counted.contains_key(&name);
        if self.said.counts >= COUNTS_MAX || !room || !is_counter_name(&name) {
            self.said.dropped_counts += 1;
            return;
        }
        self.said.counts += 1;
        let sum = self.said.counted.entry(name).or_insert(0);
        *sum = sum.saturating_add(n);
    }
}

/// `[a-z][a-z0-9_]*`, as the contract has it.
fn is_counter_name(name: &str) -> bool {
    name.len() <= COUNTER_NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Asked at every tick while a guest runs: the call goes on until its thread has used the CPU time it may. A busy
/// machine takes time from the wall clock, and must not condemn a record.
#[expect(clippy::needless_pass_by_value, reason = "the signature of wasmtime's callback")]
pub(crate) fn at_tick(state: StoreContextMut<'_, GuestState>) -> wasmtime::Result<UpdateDeadline> {
    if thread_cpu_nanos() < state.data().deadline_nanos {
        Ok(UpdateDeadline::Continue(1))
    } else {
        Ok(UpdateDeadline::Interrupt)
    }
}
