//! One store with its memory: started, called under a deadline, thrown away by whoever sees it fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use wasmtime::{Store, Trap};

use super::bindings::exports::sluicegate::plugin::{
    aggregate_rows, filter_rows, lifecycle, map_rows, process_rows,
};
use super::bindings::sluicegate::plugin::columns::BatchParam;
use super::bindings::sluicegate::plugin::description::PluginDescription;
use super::heard::Heard;
use super::limits::{CallLimits, MemoryExceeded, MemoryLimit};
use super::linker::{GuestState, Said, at_tick, printable};
use super::load::Compiled;
use super::marshal::{LoweredBatch, bitmap, timer_sets, varlen};
use super::process::{KeyedGroups, KeyedRows, ProcessAnswer, Timer, TimerAnswer};
use super::{
    Code, EvaluateAnswer, FilterAnswer, Instance, MapAnswer, PluginError, UpdateAnswer, Usage,
    WindowBounds, answer, answer_process,
};
use crate::time::thread_cpu_nanos;
use crate::varlen::Varlen;

/// Counters that plugins of one stage may have together over their life; see `linker` for those of one call.
const COUNTERS_MAX: usize = 64;

/// The part of its time that a call is given while a guilty row is sought.
const HURRIED: u32 = 8;

/// A running guest, before or after `init`.
pub(super) struct Guest {
    store: Store<GuestState>,
    lifecycle: lifecycle::Guest,
    filter: Option<filter_rows::Guest>,
    map: Option<map_rows::Guest>,
    aggregate: Option<aggregate_rows::Guest>,
    process: Option<process_rows::Guest>,
    /// What the limits say.
    limit: Duration,
    /// Of the next call.
    deadline: Duration,
    output_max: u64,
    cpu_nanos: u64,
    dropped: u64,
}

impl Guest {
    /// A new store with a new memory. Start functions run under the deadline of a call.
    pub(super) fn start(
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
        let mut store = Store::new(compiled.engine.wasmtime(), state);
        store.limiter(|state| &mut state.memory);
        store.epoch_deadline_callback(at_tick);
        // What may be lifted out of the guest in one call.
        store.set_hostcall_fuel(usize::try_from(limits.output).unwrap_or(usize::MAX));
        let started = begin(&mut store, limits.deadline);
        let exports = &compiled.exports;
        let calls = (|store: &mut Store<GuestState>| {
            let instance = compiled.component.instantiate(&mut *store)?;
            let lifecycle = exports.lifecycle.load(&mut *store, &instance)?;
            let filter =
                exports.filter.as_ref().map(|at| at.load(&mut *store, &instance)).transpose()?;
            let map = exports.map.as_ref().map(|at| at.load(&mut *store, &instance)).transpose()?;
            let aggregate =
                exports.aggregate.as_ref().map(|at| at.load(&mut *store, &instance)).transpose()?;
            let process =
                exports.process.as_ref().map(|at| at.load(&mut *store, &instance)).transpose()?;
            Ok((lifecycle, filter, map, aggregate, process))
        })(&mut store);
        let (lifecycle, filter, map, aggregate, process) =
            calls.map_err(|error| fault(&error, &store, limits.deadline, limits.output))?;
        let cpu_nanos = thread_cpu_nanos().saturating_sub(started);
        Ok(Self {
            store,
            lifecycle,
            filter,
            map,
            aggregate,
            process,
            limit: limits.deadline,
            deadline: limits.deadline,
            output_max: limits.output,
            cpu_nanos,
            dropped: 0,
        })
    }

    /// What the plugin says of itself, unchecked.
    pub(super) fn describe(&mut self) -> Result<PluginDescription, PluginError> {
        self.call(|guest| guest.lifecycle.call_describe(&mut guest.store))
    }

    fn init(&mut self, config: &[(String, String)]) -> Result<(), PluginError> {
        let pairs: Vec<_> = config.iter().map(|(key, value)| (&**key, &**value)).collect();
        self.call(|guest| guest.lifecycle.call_init(&mut guest.store, &pairs))?
            .map_err(|reason| PluginError::Refused(printable(&reason)))
    }

    /// Runs one call under its deadline.
    fn call<R>(
        &mut self,
        call: impl FnOnce(&mut Self) -> wasmtime::Result<R>,
    ) -> Result<R, PluginError> {
        let started = begin(&mut self.store, self.deadline);
        let result = call(self);
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

/// Makes instances of a module for one stage.
pub(super) struct WasmCode {
    pub(super) compiled: Arc<Compiled>,
    pub(super) name: Arc<str>,
    pub(super) outputs: SchemaRef,
    pub(super) counters: Counters,
    pub(super) heard: Arc<Heard>,
}

/// The plugin's own counters, summed over all its instances. Touched once per call that counts anything.
pub(super) type Counters = Arc<Mutex<BTreeMap<String, u64>>>;

impl Code for WasmCode {
    fn instantiate(&self, config: &[(String, String)]) -> Result<Box<dyn Instance>, PluginError> {
        let mut guest = Guest::start(&self.compiled, &self.name, &self.heard)?;
        guest.init(config)?;
        Ok(Box::new(WasmInstance {
            guest,
            limits: self.compiled.limits,
            outputs: Arc::clone(&self.outputs),
            counters: Arc::clone(&self.counters),
        }))
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A guest after `init`, with what its answers must look like.
struct WasmInstance {
    guest: Guest,
    limits: CallLimits,
    outputs: SchemaRef,
    counters: Counters,
}

impl WasmInstance {
    /// Calls, checks the answer, and adds what the guest counted if all went well: a call that fails is repeated.
    fn checked<R, A>(
        &mut self,
        call: impl FnOnce(&mut Guest) -> wasmtime::Result<R>,
        check: impl FnOnce(R) -> Result<A, String>,
    ) -> Result<A, PluginError> {
        let raw = self.guest.call(call)?;
        let answer = check(raw).map_err(PluginError::Answer)?;
        let counted = &mut self.guest.store.data_mut().said.counted;
        if !counted.is_empty() {
            let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, n) in std::mem::take(counted) {
                let room = counters.len() < COUNTERS_MAX || counters.contains_key(&name);
                if room {
                    let sum = counters.entry(name).or_insert(0);
                    *sum = sum.saturating_add(n);
                }
            }
        }
        Ok(answer)
    }
}

const KIND_CHECKED: &str = "`load` checked that the calls of the described kind are there";

fn rows_of(batch: &RecordBatch) -> u32 {
    u32::try_from(batch.num_rows()).expect("calls are bounded far below 2³² rows")
}

impl Instance for WasmInstance {
    fn filter(&mut self, rows: &RecordBatch) -> Result<FilterAnswer, PluginError> {
        let (count, lowered) = (rows_of(rows), LoweredBatch::new(rows));
        let columns = lowered.columns();
        let call = |guest: &mut Guest| {
            let filter = guest.filter.as_ref().expect(KIND_CHECKED);
            filter.call_filter(&mut guest.store, BatchParam { rows: count, columns: &columns })
        };
        self.checked(call, |raw| answer::filter(raw, rows.num_rows()))
    }

    fn map(&mut self, rows: &RecordBatch) -> Result<MapAnswer, PluginError> {
        let (count, lowered) = (rows_of(rows), LoweredBatch::new(rows));
        let (columns, outputs) = (lowered.columns(), Arc::clone(&self.outputs));
        let call = |guest: &mut Guest| {
            let map = guest.map.as_ref().expect(KIND_CHECKED);
            map.call_map(&mut guest.store, BatchParam { rows: count, columns: &columns })
        };
        self.checked(call, |raw| answer::map(raw, rows.num_rows(), &outputs))
    }

    fn update(
        &mut self,
        rows: &RecordBatch,
        groups: &[u32],
        states: &Varlen,
    ) -> Result<UpdateAnswer, PluginError> {
        let (count, lowered) = (rows_of(rows), LoweredBatch::new(rows));
        let columns = lowered.columns();
        let call = |guest: &mut Guest| {
            let aggregate = guest.aggregate.as_ref().expect(KIND_CHECKED);
            let batch = BatchParam { rows: count, columns: &columns };
            aggregate.call_update(&mut guest.store, batch, groups, varlen(states))
        };
        self.checked(call, |raw| answer::update(raw, rows.num_rows(), states.len()))
    }

    fn merge(&mut self, left: &Varlen, right: &Varlen) -> Result<Varlen, PluginError> {
        let call = |guest: &mut Guest| {
            let aggregate = guest.aggregate.as_ref().expect(KIND_CHECKED);
            aggregate.call_merge(&mut guest.store, varlen(left), varlen(right))
        };
        self.checked(call, |raw| answer::states(raw, left.len()))
    }

    fn evaluate(
        &mut self,
        windows: &[WindowBounds],
        states: &Varlen,
    ) -> Result<EvaluateAnswer, PluginError> {
        let outputs = Arc::clone(&self.outputs);
        let windows: Vec<_> = windows
            .iter()
            .map(|window| aggregate_rows::Window { start: window.start, end: window.end })
            .collect();
        let call = |guest: &mut Guest| {
            let aggregate = guest.aggregate.as_ref().expect(KIND_CHECKED);
            aggregate.call_evaluate(&mut guest.store, &windows, varlen(states))
        };
        self.checked(call, |raw| answer::evaluate(raw, states.len(), &outputs))
    }

    fn process(
        &mut self,
        rows: &KeyedRows,
        groups: &KeyedGroups,
    ) -> Result<ProcessAnswer, PluginError> {
        let (count, lowered) = (rows_of(&rows.batch), LoweredBatch::new(&rows.batch));
        let (columns, outputs) = (lowered.columns(), Arc::clone(&self.outputs));
        let expired = BooleanBuffer::from(rows.expired.as_slice());
        let limits = self.limits;
        let call = |guest: &mut Guest| {
            let process = guest.process.as_ref().expect(KIND_CHECKED);
            process.call_process(
                &mut guest.store,
                BatchParam { rows: count, columns: &columns },
                &rows.times,
                &rows.watermarks,
                &bitmap(&expired),
                &rows.groups,
                varlen(&groups.states),
                timer_sets(&groups.timers),
            )
        };
        self.checked(call, |raw| {
            answer_process::process(raw, rows, groups.len(), &outputs, &limits)
        })
    }

    fn on_timer(
        &mut self,
        fired: &[Timer],
        groups: &KeyedGroups,
    ) -> Result<TimerAnswer, PluginError> {
        let (outputs, limits) = (Arc::clone(&self.outputs), self.limits);
        let times: Vec<i64> = fired.iter().map(|timer| timer.time).collect();
        let ids: Vec<u32> = fired.iter().map(|timer| timer.id).collect();
        let call = |guest: &mut Guest| {
            let process = guest.process.as_ref().expect(KIND_CHECKED);
            let (states, timers) = (varlen(&groups.states), timer_sets(&groups.timers));
            process.call_on_timer(&mut guest.store, &times, &ids, states, timers)
        };
        self.checked(call, |raw| answer_process::on_timer(raw, fired, &outputs, &limits))
    }

    fn migrate(&mut self, from_version: u32, states: &Varlen) -> Result<Varlen, PluginError> {
        let call = |guest: &mut Guest| match &guest.process {
            Some(process) if guest.aggregate.is_none() => {
                process.call_migrate(&mut guest.store, from_version, varlen(states))
            }
            _ => {
                let aggregate = guest.aggregate.as_ref().expect(KIND_CHECKED);
                aggregate.call_migrate(&mut guest.store, from_version, varlen(states))
            }
        };
        let raw = self.checked(call, Ok)?;
        let raw = raw.map_err(|reason| PluginError::Refused(printable(&reason)))?;
        answer::states(raw, states.len()).map_err(PluginError::Answer)
    }

    fn hurry(&mut self, longest_nanos: Option<u64>) {
        let Guest { limit, deadline, .. } = &mut self.guest;
        *deadline = longest_nanos.map_or(*limit, |longest| {
            let fraction = *limit / HURRIED;
            fraction.max(2 * Duration::from_nanos(longest)).min(*limit)
        });
    }

    fn usage(&self) -> Usage {
        Usage {
            cpu_nanos: self.guest.cpu_nanos,
            memory_bytes: self.guest.store.data().memory.held(),
            unheard: self.guest.dropped,
        }
    }
}
