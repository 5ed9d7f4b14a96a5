//! Instances of modules: the calls of each kind, and what their answers must look like.

mod memory;
pub(crate) mod heard;
pub(crate) mod linker;
pub(crate) mod ticker;
pub(crate) mod exports;
mod marshal;
pub(crate) mod answer;
pub(crate) mod running;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use wasmtime::{Store, component};

use crate::contract::bindings::exports::sluicegate::plugin::filter_coded_rows::CodedTexts;
use crate::contract::bindings::exports::sluicegate::plugin::{
    aggregate_rows, filter_coded_rows, filter_rows, map_rows, process_rows,
};
use crate::contract::bindings::sluicegate::plugin::columns::{BatchParam, VarlenResult};
use crate::plugin::answer::{EvaluateAnswer, FilterAnswer, MapAnswer, UpdateAnswer};
use crate::plugin::answer::{KeyedAnswer, KeyedRows, TimerAnswer};
use crate::plugin::guest::{
    AggregateGuest, FilterGuest, Guest, Instance, KeyedGuest, MapGuest, StatefulGuest, Usage,
};
use crate::plugin::printable::printable;
use crate::plugin::{Code, PluginError};
use exports::KindExports;
use heard::Heard;
use linker::GuestState;
use marshal::{LoweredBatch, bitmap, micros, timer_sets, varlen};
use running::Compiled;
use running::Running;
use sluicegate_model::call::CallLimits;
use sluicegate_model::timers::{KeyedGroups, Timer};
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;

/// Counters that plugins of one stage may have together over their life; see `linker` for those of one call.
const COUNTERS_MAX: usize = 64;

/// Makes instances of a module for one stage.
pub(crate) struct WasmCode {
    pub(crate) compiled: Arc<Compiled>,
    /// Of the kind that it is.
    pub(crate) calls: KindExports,
    pub(crate) name: Arc<str>,
    pub(crate) outputs: SchemaRef,
    pub(crate) counters: Counters,
    pub(crate) heard: Arc<Heard>,
}

/// The plugin's own counters, summed over all its instances. Touched once per call that counts anything.
pub(crate) type Counters = Arc<Mutex<BTreeMap<String, u64>>>;

impl Code for WasmCode {
    fn instantiate(&self, config: &[(String, String)]) -> Result<Instance, PluginError> {
        let mut running = Running::start(&self.compiled, &self.name, &self.heard)?;
        running.init(config)?;
        Ok(match &self.calls {
            KindExports::Filter(calls) => {
                let load = |store: &mut Store<_>, instance: &_| {
                    let coded = calls.coded.as_ref();
                    let coded = coded.map(|calls| calls.load(&mut *store, instance)).transpose()?;
                    Ok(FilterCalls { rows: calls.rows.load(store, instance)?, coded })
                };
                Instance::Filter(Box::new(self.instance(running, load)?))
            }
            KindExports::Map(calls) => {
                Instance::Map(Box::new(self.instance(running, |s, i| calls.load(s, i))?))
            }
            KindExports::Aggregate(calls) => {
                Instance::Aggregate(Box::new(self.instance(running, |s, i| calls.load(s, i))?))
            }
            KindExports::Keyed(calls) => {
                Instance::Keyed(Box::new(self.instance(running, |s, i| calls.load(s, i))?))
            }
        })
    }

    fn by_code(&self) -> &[usize] {
        match &self.calls {
            KindExports::Filter(calls) => &calls.wanted,
            _ => &[],
        }
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl WasmCode {
    /// A guest after `init` with the calls of its kind.
    fn instance<C>(
        &self,
        mut running: Running,
        load: impl FnOnce(&mut Store<GuestState>, &component::Instance) -> wasmtime::Result<C>,
    ) -> Result<WasmInstance<C>, PluginError> {
        let calls = running.call(|it| load(&mut it.store, &it.instance))?;
        Ok(WasmInstance {
            running,
            calls,
            limits: self.compiled.limits,
            outputs: Arc::clone(&self.outputs),
            counters: Arc::clone(&self.counters),
        })
    }
}

/// A guest after `init`: the calls `C` of its kind, and what its answers must look like.
struct WasmInstance<C> {
    running: Running,
    calls: C,
    limits: CallLimits,
    outputs: SchemaRef,
    counters: Counters,
}

impl<C> WasmInstance<C> {
    /// Calls, checks the answer, and adds what the guest counted if all went well: a call that fails is repeated.
    fn checked<R, A>(
        &mut self,
        call: impl FnOnce(&C, &mut Store<GuestState>) -> wasmtime::Result<R>,
        check: impl FnOnce(R) -> Result<A, String>,
    ) -> Result<A, PluginError> {
        let Self { running, calls, counters, .. } = self;
        let raw = running.call(|running| call(calls, &mut running.store))?;
        let answer = check(raw).map_err(PluginError::Answer)?;
        let counted = &mut running.store.data_mut().said.counted;
        if !counted.is_empty() {
            let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// What `migrate` answered to that many states.
    fn migrated(
        &mut self,
        groups: usize,
        call: impl FnOnce(&C, &mut Store<GuestState>) -> wasmtime::Result<Result<VarlenResult, String>>,
    ) -> Result<Varlen, PluginError> {
        let raw = self.checked(call, Ok)?;
        let raw = raw.map_err(|reason| PluginError::Refused(printable(&reason)))?;
        answer::states(raw, groups).map_err(PluginError::Answer)
    }
}

fn rows_of(batch: &RecordBatch) -> u32 {
    u32::try_from(batch.num_rows()).expect("calls are bounded far below 2³² rows")
}

impl<C: Send> Guest for WasmInstance<C> {
    fn hurry(&mut self, longest_nanos: Option<u64>) {
        self.running.hurry(longest_nanos);
    }

    fn usage(&self) -> Usage {
        self.running.usage()
    }
}

/// The calls of a filter.
struct FilterCalls {
    rows: filter_rows::Guest,
    coded: Option<filter_coded_rows::Guest>,
}

impl FilterCalls {
    fn call(
        &self,
        store: &mut Store<GuestState>,
        rows: BatchParam<'_>,
        coded: &[CodedTexts<'_>],
    ) -> wasmtime::Result<filter_rows::FilterAnswer> {
        let by_code = self.coded.as_ref().filter(|_| !coded.is_empty());
        let Some(by_code) = by_code else { return self.rows.call_filter(store, rows) };
        let answer = by_code.call_filter_coded(store, rows, coded)?;
        Ok(filter_rows::FilterAnswer { keep: answer.keep, rejects: answer.rejects })
    }
}

impl FilterGuest for WasmInstance<FilterCalls> {
    fn filter(&mut self, rows: &RecordBatch) -> Result<FilterAnswer, PluginError> {
        let (count, lowered) = (rows_of(rows), LoweredBatch::new(rows));
        let batch = BatchParam { rows: count, columns: &lowered.columns() };
        self.checked(
            |filter, store| filter.call(store, batch, &lowered.coded()),
            |raw| answer::filter(raw, rows.num_rows()),
        )
    }
}

impl MapGuest for WasmInstance<map_rows::Guest> {
    fn map(&mut self, rows: &RecordBatch) -> Result<MapAnswer, PluginError> {
        let (count, lowered) = (rows_of(rows), LoweredBatch::new(rows));
        let outputs = Arc::clone(&self.outputs);
        let batch = BatchParam { rows: count, columns: &lowered.columns() };
        self.checked(
            |map, store| map.call_map(store, batch),
            |raw| answer::map(raw, rows.num_rows(), &outputs),
        )
    }
}

impl StatefulGuest for WasmInstance<aggregate_rows::Guest> {
    fn migrate(&mut self, from_version: u32, states: &Varlen) -> Result<Varlen, PluginError> {
        self.migrated(states.len(), |aggregate, store| {
            aggregate.call_migrate(store, from_version, varlen(states))
        })
    }
}

impl AggregateGuest for WasmInstance<aggregate_rows::Guest> {
    fn update(
        &mut self,
        rows: &RecordBatch,
        groups: &[u32],
        states: &Varlen,
    ) -> Result<UpdateAnswer, PluginError> {
        let (count, lowered) = (rows_of(rows), LoweredBatch::new(rows));
        let batch = BatchParam { rows: count, columns: &lowered.columns() };
        self.checked(
            |aggregate, store| aggregate.call_update(store, batch, groups, varlen(states)),
            |raw| answer::update(raw, rows.num_rows(), states.len()),
        )
    }

    fn merge(&mut self, left: &Varlen, right: &Varlen) -> Result<Varlen, PluginError> {
        self.checked(
            |aggregate, store| aggregate.call_merge(store, varlen(left), varlen(right)),
            |raw| answer::states(raw, left.len()),
        )
    }

    fn evaluate(
        &mut self,
        windows: &[WindowBounds],
        states: &Varlen,
    ) -> Result<EvaluateAnswer, PluginError> {
        let outputs = Arc::clone(&self.outputs);
        let windows: Vec<_> = windows
            .iter()
            .map(|window| aggregate_rows::Window { start: window.start.0, end: window.end.0 })
            .collect();
        self.checked(
            |aggregate, store| aggregate.call_evaluate(store, &windows, varlen(states)),
            |raw| answer::evaluate(raw, states.len(), &outputs),
        )
    }
}

impl StatefulGuest for WasmInstance<process_rows::Guest> {
    fn migrate(&mut self, from_version: u32, states: &Varlen) -> Result<Varlen, PluginError> {
        self.migrated(states.len(), |keyed, store| {
            keyed.call_migrate(store, from_version, varlen(states))
        })
    }
}

impl KeyedGuest for WasmInstance<process_rows::Guest> {
    fn process(
        &mut self,
        rows: &KeyedRows<'_>,
        groups: &KeyedGroups,
    ) -> Result<KeyedAnswer, PluginError> {
        let (count, lowered) = (rows_of(&rows.batch), LoweredBatch::new(&rows.batch));
        let (columns, outputs) = (lowered.columns(), Arc::clone(&self.outputs));
        let expired = BooleanBuffer::from(rows.expired);
        let (times, watermarks) = (micros(rows.times), micros(rows.watermarks));
        let timer_times = micros(&groups.timers.times);
        let limits = self.limits;
        let call = |keyed: &process_rows::Guest, store: &mut Store<GuestState>| {
            keyed.call_process(
                store,
                BatchParam { rows: count, columns: &columns },
                &times,
                &watermarks,
                &bitmap(&expired),
                rows.groups,
                varlen(&groups.states),
                timer_sets(&groups.timers, &timer_times),
            )
        };
        self.checked(call, |raw| answer::keyed::process(raw, rows, groups.len(), &outputs, &limits))
    }

    fn on_timer(
        &mut self,
        fired: &[Timer],
        groups: &KeyedGroups,
    ) -> Result<TimerAnswer, PluginError> {
        let (outputs, limits) = (Arc::clone(&self.outputs), self.limits);
        let times: Vec<i64> = fired.iter().map(|timer| timer.time.0).collect();
        let ids: Vec<u32> = fired.iter().map(|timer| timer.id).collect();
        let timer_times = micros(&groups.timers.times);
        self.checked(
            |keyed, store| {
                let (states, timers) =
                    (varlen(&groups.states), timer_sets(&groups.timers, &timer_times));
                keyed.call_on_timer(store, &times, &ids, states, timers)
            },
            |raw| answer::keyed::on_timer(raw, fired, &outputs, &limits),
        )
    }
}
