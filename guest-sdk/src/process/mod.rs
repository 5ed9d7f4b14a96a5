//! Process plugins: state per key, and timers in event time.

mod instance;
mod keyed;
mod timers;

pub use keyed::Keyed;
pub use timers::{Timer, TimerSets, TimerSetsRef};

use crate::output::OwnedColumn;
use crate::row::scales;
use crate::varlen::Varlen;
use crate::{Batch, Config, Description, Kind, OutputRow, Refused, Reject, Row, State, VarlenRef};

/// A process plugin: it sees the rows of a key one by one, remembers what it likes, and sets timers that call it back
/// when event time has passed them. The host keeps state and timers per key, through swaps and crashes, and adds the
/// columns of the key and the event time to what is emitted.
///
/// The rows of a key come in the order of partition and offset. Timers fire between them, ascending: before a row
/// every timer that the watermark has passed by then. `wit/plugin.wit` has the rules in full. How rows are cut into
/// calls makes no difference; [`testing::process`] checks that.
///
/// [`testing::process`]: crate::testing::process
pub trait Process: Sized + Send + 'static {
    /// What it reads: `type Row<'a> = Payment<'a>;`.
    type Row<'a>: Row<At<'a> = Self::Row<'a>>;
    /// What it remembers of a key; its default is what it knows of a new one. A key whose state is the default and that
    /// has no timer is forgotten.
    type State: State;
    /// A row of output. With borrowed fields: `type Output = Alert<'static>;`.
    type Output: OutputRow;

    /// Version of the state's layout, at least 1. A state with another layout needs another version.
    const STATE_VERSION: u32 = 1;
    /// The older versions that `migrate` takes.
    const MIGRATES_FROM: &'static [u32] = &[];

    /// Reads and checks the configuration. An error refuses the activation: name the key, its value and what
    /// would be right. Keys that it does not ask for are refused.
    fn new(config: &Config) -> Result<Self, String>;

    /// Processes a row. An error refuses the row, whose record the host dead-letters with that reason; state, timers
    /// and output are then what they were before, whatever this function did to them.
    fn on_row(&self, row: Self::Row<'_>, key: &mut Keyed<'_, Self>) -> Result<(), Refused>;

    /// A timer that was set with this id fires, at [`Keyed::time`]. A panic dead-letters the timer with the state of
    /// its key. The default does nothing, for plugins that set none.
    fn on_timer(&self, id: u32, key: &mut Keyed<'_, Self>) {
        let _ = (id, key);
    }

    /// Reads a state that a module of an older version wrote: keep the old struct and call [`State::decode`] on
    /// it. `bytes` is never empty. An error refuses the activation.
    fn migrate(&self, from_version: u32, bytes: &[u8]) -> Result<Self::State, String> {
        let _ = bytes;
        Err(format!(
            "state of version {from_version} is not known to version {}",
            Self::STATE_VERSION
        ))
    }
}

/// A plugin of this kind: what [`export!`](crate::export) makes of a [`Process`].
pub trait ProcessPlugin {
    /// What it says of itself.
    fn describe() -> Description;
    /// An instance with this configuration.
    fn init(config: &Config) -> Result<Box<dyn Processor>, String>;
}

/// An instance of a process plugin. States are those this plugin wrote; on others, and on batches with other columns
/// than the description's inputs, the calls panic.
pub trait Processor: Send {
    /// Processes rows, and fires before each what is due by then.
    fn process(&self, rows: &KeyedBatch<'_>, groups: Groups<'_>) -> ProcessAnswer;
    /// Fires timer `i` of group `i`, which is no longer among its timers.
    fn on_timer(&self, fired: &[Timer], groups: Groups<'_>) -> TimerAnswer;
    /// States of an older version as states of this one.
    fn migrate(&self, from_version: u32, states: VarlenRef<'_>) -> Result<Varlen, String>;
}

/// Rows with what the host knows of them.
#[derive(Clone, Debug)]
pub struct KeyedBatch<'a> {
    /// The columns of the plugin's inputs.
    pub rows: Batch<'a>,
    /// Event time of each row, µs.
    pub times: &'a [i64],
    /// Watermark of each row, µs; `i64::MIN` for none.
    pub watermarks: &'a [i64],
    /// Bit set: the time to live of the row's group is over at its watermark.
    pub expired: &'a [u8],
    /// Group of each row.
    pub groups: &'a [u32],
}

/// State and timers of the groups of a call.
#[derive(Clone, Copy, Debug)]
pub struct Groups<'a> {
    /// No bytes: no state.
    pub states: VarlenRef<'a>,
    /// As many sets as states.
    pub timers: TimerSetsRef<'a>,
}

/// What a process plugin answered to rows.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessAnswer {
    /// The states, in the order given.
    pub states: Varlen,
    /// The timers, likewise.
    pub timers: TimerSets,
    /// How many rows were emitted.
    pub rows: usize,
    /// Their columns.
    pub columns: Vec<OwnedColumn>,
    /// For each the row of the call that it belongs to; never descending.
    pub source_rows: Vec<u32>,
    /// For each its event time.
    pub times: Vec<i64>,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// What a process plugin answered to timers.
#[derive(Clone, Debug, PartialEq)]
pub struct TimerAnswer {
    /// The states, in the order given.
    pub states: Varlen,
    /// The timers, likewise.
    pub timers: TimerSets,
    /// How many rows were emitted.
    pub rows: usize,
    /// Their columns.
    pub columns: Vec<OwnedColumn>,
    /// For each its group; never descending.
    pub groups: Vec<u32>,
}

/// For [`export!`](crate::export).
#[doc(hidden)]
pub fn describe<P: Process>() -> Description {
    const { assert!(P::STATE_VERSION >= 1, "STATE_VERSION is at least 1") };
    Description::with_state::<P::Row<'static>, P::State, P::Output>(
        Kind::Process,
        P::STATE_VERSION,
        P::MIGRATES_FROM,
    )
}

/// For [`export!`](crate::export).
#[doc(hidden)]
pub fn init<P: Process>(config: &Config) -> Result<Box<dyn Processor>, String> {
    let scales = scales(<P::Row<'static> as Row>::COLUMNS, config)?;
    let process = P::new(config)?;
    config.refuse_unknown()?;
    Ok(Box::new(instance::Instance::new(process, scales)))
}
