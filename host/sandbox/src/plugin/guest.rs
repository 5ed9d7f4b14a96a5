//! A guest that runs, whatever it is made of, and the calls that each kind has.

use arrow::record_batch::RecordBatch;

use super::PluginError;
use super::answer::{
    EvaluateAnswer, FilterAnswer, KeyedAnswer, KeyedRows, MapAnswer, TimerAnswer, UpdateAnswer,
};
use sluicegate_model::module::PluginKind;
use sluicegate_model::timers::{KeyedGroups, Timer};
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;

/// A guest that runs, by its kind: made once when it starts, so that no call can be made that its kind does not have.
///
/// Behind each kind stand two implementers: the WASM instance, and code compiled into the host (the benchmarks'
/// reference). Batches hold exactly the columns of `Description::inputs`, in that order.
pub enum Instance {
    /// Answers for each row whether it goes on.
    Filter(Box<dyn FilterGuest>),
    /// Makes any number of rows of each.
    Map(Box<dyn MapGuest>),
    /// Adds rows to accumulators that the host keeps, merges and evaluates them.
    Aggregate(Box<dyn AggregateGuest>),
    /// Answers rows and timers with new rows and with the states that the host keeps.
    Keyed(Box<dyn KeyedGuest>),
}

/// What every guest can be asked.
pub trait Guest: Send {
    /// The next calls are given a fraction of their time, though twice that of the longest call that went well
    /// (nanoseconds); all of it again with none. Native code does not hurry.
    fn hurry(&mut self, longest_nanos: Option<u64>) {
        let _ = longest_nanos;
    }
    /// What it has used so far. Native code does not know.
    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// The call of a filter. Columns that the plugin wants by code ([`super::Code::by_code`]) may be dictionaries here, and
/// no others.
pub trait FilterGuest: Guest {
    /// One bit a row: false where it was dropped or rejected.
    fn filter(&mut self, rows: &RecordBatch) -> Result<FilterAnswer, PluginError>;
}

/// The call of a map.
pub trait MapGuest: Guest {
    /// New rows of each row.
    fn map(&mut self, rows: &RecordBatch) -> Result<MapAnswer, PluginError>;
}

/// The call of every guest with state.
pub trait StatefulGuest: Guest {
    /// States of an older version as states of this one.
    fn migrate(&mut self, from_version: u32, states: &Varlen) -> Result<Varlen, PluginError>;
}

/// The calls of an aggregate.
pub trait AggregateGuest: StatefulGuest {
    /// Row `i` belongs to `states[groups[i]]`.
    fn update(
        &mut self,
        rows: &RecordBatch,
        groups: &[u32],
        states: &Varlen,
    ) -> Result<UpdateAnswer, PluginError>;
    /// `left[i]` followed by `right[i]`.
    fn merge(&mut self, left: &Varlen, right: &Varlen) -> Result<Varlen, PluginError>;
    /// `windows[i]` belongs to `states[i]`.
    fn evaluate(
        &mut self,
        windows: &[WindowBounds],
        states: &Varlen,
    ) -> Result<EvaluateAnswer, PluginError>;
}

/// The calls of a keyed plugin.
pub trait KeyedGuest: StatefulGuest {
    /// Rows, and what is due before each.
    fn process(
        &mut self,
        rows: &KeyedRows<'_>,
        groups: &KeyedGroups,
    ) -> Result<KeyedAnswer, PluginError>;
    /// Timer `i` of group `i`.
    fn on_timer(
        &mut self,
        fired: &[Timer],
        groups: &KeyedGroups,
    ) -> Result<TimerAnswer, PluginError>;
}

impl Instance {
    /// As the module was described; never changes.
    pub fn kind(&self) -> PluginKind {
        match self {
            Self::Filter(_) => PluginKind::Filter,
            Self::Map(_) => PluginKind::Map,
            Self::Aggregate(_) => PluginKind::Aggregate,
            Self::Keyed(_) => PluginKind::Keyed,
        }
    }
}

/// What an instance has used since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time of its calls.
    pub cpu_nanos: u64,
    /// Linear memory in bytes, as it stands now.
    pub memory_bytes: u64,
    /// Log lines and counts beyond what a call may say; dropped.
    pub unheard: u64,
}
