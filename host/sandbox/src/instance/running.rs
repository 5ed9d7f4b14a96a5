//! One store with its memory: started, called under a deadline, thrown away by whoever sees it fail.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::InstancePre;
use wasmtime::{Store, Trap, component};

use super::exports::Exports;
use super::heard::Heard;
use super::linker::{GuestState, Said, at_tick};
use super::memory::{MemoryExceeded, MemoryLimit};
use super::ticker::Ticker;
use crate::contract::bindings::exports::sluicegate::plugin::{filter_coded_rows, lifecycle};
use crate::contract::bindings::sluicegate::plugin::description::PluginDescription;
use crate::plugin::PluginError;
use crate::plugin::guest::Usage;
use crate::plugin::printable::printable;
use sluicegate_model::call::CallLimits;
use sluicegate_model::time::thread_cpu_nanos;

/// The part of its time that a call is given while a guilty row is sought.
const HURRIED: u32 = 8;

/// A component that is linked: what instances are made from.
pub(crate) struct Compiled {
    pub(crate) component: InstancePre<GuestState>,
    pub(crate) exports: Exports,
    pub(crate) limits: CallLimits,
    pub(crate) ticker: Ticker,
}

/// A running module of whatever kind, before or after `init`.
pub(crate) struct Running {
    pub(crate) store: Store<GuestState>,
    /// In which the calls of its kind are found.
    pub(crate) instance: component::Instance,
    lifecycle: lifecycle::Guest,
    ticker: Ticker,
    /// As configured; [`Running::deadline`] may be shorter for one call.
    limit: Duration,
    deadline: Duration,
    output_max: u64,
    cpu_nanos: u64,
    dropped: u64,
}

impl Running {
    /// A new store with a new memory. Start functions run under the deadline of a call.
    pub(crate) fn start(
        compiled: &Compiled,
        name: &Arc<str>,
        heard: &Arc<Heard>,
    ) -> Result<Self, PluginError> {
        let limits = compiled.limits;
        let state = GuestState {
            name: Arc::clone(name),
            memory: MemoryLimit::new(limits.memory),
            deadline_nanos: 0,
            said: Said::default(),
            heard: Arc::clone(heard),
        };
        let mut store = Store::new(compiled.component.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_callback(at_tick);
        // What may be lifted out of the guest in one call.
        store.set_hostcall_fuel(usize::try_from(limits.output).unwrap_or(usize::MAX));
        let ticking = compiled.ticker.begin();
        let started = begin(&mut store, limits.deadline);
        let made = compiled.component.instantiate(&mut store).and_then(|instance| {
            Ok((instance, compiled.exports.lifecycle.load(&mut store, &instance)?))
        });
        drop(ticking);
        let (instance, lifecycle) =
            made.map_err(|error| fault(&error, &store, limits.deadline, limits.output))?;
        let cpu_nanos = thread_cpu_nanos().saturating_sub(started);
        Ok(Self {
            store,
            instance,
            lifecycle,
            ticker: compiled.ticker.clone(),
            limit: limits.deadline,
            deadline: limits.deadline,
            output_max: limits.output,
            cpu_nanos,
            dropped: 0,
        })
    }

    /// What the plugin says of itself, unchecked.
    pub(crate) fn describe(&mut self) -> Result<PluginDescription, PluginError> {
        self.call(|running| running.lifecycle.call_describe(&mut running.store))
    }

    /// The inputs that a filter wants by code, unchecked.
    pub(crate) fn wanted(
        &mut self,
        coded: &filter_coded_rows::GuestIndices,
    ) -> Result<Vec<u32>, PluginError> {
        self.call(|running| {
            let Self { store, instance, .. } = running;
            coded.load(&mut *store, instance)?.call_wanted(store)
        })
    }

    pub(crate) fn init(&mut self, config: &[(String, String)]) -> Result<(), PluginError> {
        let pairs: Vec<_> = config.iter().map(|(key, value)| (&**key, &**value)).collect();
        self.call(|running| running.lifecycle.call_init(&mut running.store, &pairs))?
            .map_err(|reason| PluginError::Refused(printable(&reason)))
    }

    /// The next calls are given a fraction of their time, though twice that of the longest call that went well; all of it
    /// again with none.
    pub(crate) fn hurry(&mut self, longest_nanos: Option<u64>) {
        self.deadline = longest_nanos.map_or(self.limit, |longest| {
            let fraction = self.limit / HURRIED;
            fraction.max(2 * Duration::from_nanos(longest)).min(self.limit)
        });
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            cpu_nanos: self.cpu_nanos,
            memory_bytes: self.store.data().memory.held(),
            unheard: self.dropped,
        }
    }

    /// Runs one call under its deadline.
    pub(crate) fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Self) -> wasmtime::Result<R>,
    ) -> Result<R, PluginError> {
        let ticking = self.ticker.begin();
        let started = begin(&mut self.store, self.deadline);
        let result = call(self);
        drop(ticking);
        self.cpu_nanos += thread_cpu_nanos().saturating_sub(started);
        let GuestState { name, said, heard, .. } = self.store.data();
        self.dropped += said.dropped_counts + said.dropped_lines;
        heard.drops(name, said.dropped_lines);
        result.map_err(|error| fault(&error, &self.store, self.deadline, self.output_max))
    }
}

/// Gives the next call its time, and forgets what was said in the last. Returns the thread's CPU time.
fn begin(store: &mut Store<GuestState>, deadline: Duration) -> u64 {
    let now = thread_cpu_nanos();
    let limit = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
    let state = store.data_mut();
    state.deadline_nanos = now.saturating_add(limit);
    state.said = Said::default();
    store.set_epoch_deadline(1);
    now
}

/// What wasmtime says of a call that failed, in the words of the contract.
fn fault(
    error: &wasmtime::Error,
    store: &Store<GuestState>,
    deadline: Duration,
    output_max: u64,
) -> PluginError {
    let told = |what: String| match &store.data().said.last_error {
        Some(message) => format!("{what}; the plugin's last error: {message}"),
        None => what,
    };
    if let Some(trap) = error.downcast_ref::<Trap>() {
        if *trap == Trap::Interrupt {
            let limit_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
            return PluginError::Deadline { limit_ms };
        }
        let what = trap.to_string();
        return PluginError::Trap(told(what.trim_start_matches("wasm trap: ").to_owned()));
    }
    if let Some(exceeded) = error.downcast_ref::<MemoryExceeded>() {
        return PluginError::Trap(told(exceeded.to_string()));
    }
    let cause = error.root_cause().to_string();
    // wasmtime keeps the type of this error to itself. The test of a huge answer watches the text.
    if cause.contains("fuel allocated for hostcalls has been exhausted") {
        return PluginError::Answer(format!("more than {output_max} bytes came back"));
    }
    PluginError::Answer(printable(&cause))
}
