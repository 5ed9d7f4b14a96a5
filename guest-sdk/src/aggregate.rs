//! Aggregates: rows of a group become a state, states become results.

use crate::output::OwnedColumn;
use crate::replay::Replay;
use crate::row::scales;
use crate::varlen::{Varlen, VarlenRef};
use crate::{
    Batch, Config, Description, Emit, Kind, OutputRow, Refused, Reject, Row, State, Timestamp,
};

/// An aggregate. The host groups the rows by key and window, keeps one state per group, and adds the columns of
/// the key and the bounds of the window to the results.
///
/// The same rows in the same order must make the same state, however they are cut into calls, and
/// `merge(state of a, state of b)` must be the state of `a` followed by `b`. [`testing::aggregate`] checks both.
///
/// [`testing::aggregate`]: crate::testing::aggregate
pub trait Aggregate: Sized + Send + 'static {
    /// What it reads: `type Row<'a> = Sale<'a>;`.
    type Row<'a>: Row<At<'a> = Self::Row<'a>>;
    /// The state of a group; its default is that of a group without rows.
    type State: State;
    /// A row of results. With borrowed fields: `type Output = Total<'static>;`.
    type Output: OutputRow;

    /// Version of the state's layout, at least 1. A state with another layout needs another version.
    const STATE_VERSION: u32 = 1;
    /// The older versions that `migrate` takes.
    const MIGRATES_FROM: &'static [u32] = &[];

    /// Reads and checks the configuration. An error refuses the activation: name the key, its value and what
    /// would be right. Keys that it does not ask for are refused.
    fn new(config: &Config) -> Result<Self, String>;

    /// Adds a row. An error refuses the row, whose record the host dead-letters with that reason; the state is
    /// then what it was before, whatever this function did to it.
    fn update(&self, state: &mut Self::State, row: Self::Row<'_>) -> Result<(), Refused>;

    /// Makes `state` that of its own rows followed by those of `later`. A panic dead-letters the group.
    fn merge(&self, state: &mut Self::State, later: Self::State);

    /// Emits the results of a group, any number of rows. Called when the window fires and whenever somebody looks at
    /// an open window. A panic dead-letters the group.
    fn evaluate(&self, window: Window, state: &Self::State, out: &mut Emit<Self::Output>);

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

/// The window of a group: `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first moment that belongs to it.
    pub start: Timestamp,
    /// The first moment that does not.
    pub end: Timestamp,
}

/// A plugin that is an aggregate: what [`export!`](crate::export) makes of an [`Aggregate`].
pub trait AggregatePlugin {
    /// What it says of itself.
    fn describe() -> Description;
    /// An instance with this configuration.
    fn init(config: &Config) -> Result<Box<dyn Accumulate>, String>;
}

/// An instance of an aggregate. States are those this plugin wrote; on others, and on batches with other columns
/// than the description's inputs, the calls panic.
pub trait Accumulate: Send {
    /// Row `i` belongs to state `groups[i]`.
    fn update(&self, rows: &Batch<'_>, groups: &[u32], states: VarlenRef<'_>) -> UpdateAnswer;
    /// `left[i]` followed by `right[i]`.
    fn merge(&self, left: VarlenRef<'_>, right: VarlenRef<'_>) -> Varlen;
    /// `windows[i]` belongs to state `i`.
    fn evaluate(&self, windows: &[Window], states: VarlenRef<'_>) -> EvaluateAnswer;
    /// States of an older version as states of this one.
    fn migrate(&self, from_version: u32, states: VarlenRef<'_>) -> Result<Varlen, String>;
}

/// What an aggregate answered to `update`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateAnswer {
    /// The states, in the order given.
    pub states: Varlen,
    /// Ascending by row.
    pub rejects: Vec<Reject>,
}

/// What an aggregate answered to `evaluate`.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluateAnswer {
    /// How many rows there are.
    pub rows: usize,
    /// The columns of the outputs.
    pub columns: Vec<OwnedColumn>,
    /// For each row the state it belongs to; never descending.
    pub groups: Vec<u32>,
}

/// For [`export!`](crate::export).
#[doc(hidden)]
pub fn describe<A: Aggregate>() -> Description {
    const { assert!(A::STATE_VERSION >= 1, "STATE_VERSION is at least 1") };
    Description::with_state::<A::Row<'static>, A::State, A::Output>(
        Kind::Aggregate,
        A::STATE_VERSION,
        A::MIGRATES_FROM,
    )
}

/// For [`export!`](crate::export).
#[doc(hidden)]
pub fn init<A: Aggregate>(config: &Config) -> Result<Box<dyn Accumulate>, String> {
    let scales = scales(<A::Row<'static> as Row>::COLUMNS, config)?;
    let aggregate = A::new(config)?;
    config.refuse_unknown()?;
    Ok(Box::new(Instance { aggregate, scales }))
}

struct Instance<A> {
    aggregate: A,
    scales: Vec<u8>,
}

impl<A: Aggregate> Accumulate for Instance<A> {
    fn update(&self, rows: &Batch<'_>, groups: &[u32], states: VarlenRef<'_>) -> UpdateAnswer {
        self.update_rows(rows, groups, states)
    }

    fn merge(&self, left: VarlenRef<'_>, right: VarlenRef<'_>) -> Varlen {
        assert_eq!(left.len(), right.len(), "merge needs as many states on both sides");
        let mut merged = Varlen::with_capacity(left.len(), left.bytes.len() + right.bytes.len());
        for (index, (left, right)) in left.iter().zip(right.iter()).enumerate() {
            if left.is_empty() || right.is_empty() {
                merged.bytes.extend_from_slice(if left.is_empty() { right } else { left });
            } else {
                let mut state: A::State = decode(index, left);
                self.aggregate.merge(&mut state, decode(index, right));
                state.encode(&mut merged.bytes);
            }
            merged.end_value();
        }
        merged
    }

    fn evaluate(&self, windows: &[Window], states: VarlenRef<'_>) -> EvaluateAnswer {
        assert_eq!(windows.len(), states.len(), "evaluate needs a window for each state");
        let mut out = Emit::<A::Output>::new();
        for (group, (window, state)) in windows.iter().zip(states.iter()).enumerate() {
            out.begin(group);
            self.aggregate.evaluate(*window, &decode(group, state), &mut out);
        }
        let rows = out.rows();
        let (columns, groups) = out.finish();
        EvaluateAnswer { rows, columns, groups }
    }

    fn migrate(&self, from_version: u32, states: VarlenRef<'_>) -> Result<Varlen, String> {
        let mut migrated = Varlen::with_capacity(states.len(), states.bytes.len());
        for state in states.iter() {
            if !state.is_empty() {
                self.aggregate.migrate(from_version, state)?.encode(&mut migrated.bytes);
            }
            migrated.end_value();
        }
        Ok(migrated)
    }
}

impl<A: Aggregate> Instance<A> {
    fn update_rows<'b>(
        &self,
        rows: &Batch<'b>,
        groups: &[u32],
        states: VarlenRef<'_>,
    ) -> UpdateAnswer {
        let reader = A::Row::<'b>::reader(rows, &self.scales);
        let groups = &groups[..rows.rows];
        let mut decoded: Vec<A::State> =
            states.iter().enumerate().map(|(group, bytes)| decode(group, bytes)).collect();
        let mut rejects: Vec<Reject> = Vec::new();
        let mut replay = None;
        for (row, group) in groups.iter().enumerate() {
            let state = &mut decoded[*group as usize];
            let before = state.snapshot();
            let outcome = self.aggregate.update(state, A::Row::<'b>::read(&reader, row));
            if let Err(refused) = outcome {
                // A constant, so that the `update` of a plain state is called, and inlined, in this place only.
                if A::State::PLAIN {
                    *state = before.expect("a plain state has a snapshot");
                } else {
                    let replay = replay.get_or_insert_with(|| Replay::new(groups, states.len()));
                    *state = self.replay(&reader, replay, row, *group, states);
                }
                Reject::push(&mut rejects, row, refused);
            }
        }
        let mut states = Varlen::with_capacity(states.len(), states.bytes.len());
        for state in &decoded {
            state.encode(&mut states.bytes);
            states.end_value();
        }
        UpdateAnswer { states, rejects }
    }

    /// The state of a group after the rows before a refused one. A state that is dear to copy is made anew, so that
    /// rows that are not refused pay nothing.
    #[cold]
    fn replay<'b>(
        &self,
        reader: &<A::Row<'b> as Row>::Reader<'b>,
        replay: &mut Replay<Vec<u8>>,
        row: usize,
        group: u32,
        given: VarlenRef<'_>,
    ) -> A::State {
        let (kept, taken) = replay.since(group, row);
        let mut state =
            decode(group as usize, kept.map_or(given.get(group as usize), Vec::as_slice));
        for row in taken {
            let again = self.aggregate.update(&mut state, A::Row::<'b>::read(reader, row));
            again.expect(
                "a row that was taken is taken again: `update` depends on its arguments only",
            );
        }
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        replay.keep(group, row, bytes);
        state
    }
}

/// Reads the state of a group. Traps on bytes that are no state of this version: the host gives only what this
/// version of the plugin wrote or migrated.
#[inline]
fn decode<S: State>(group: usize, bytes: &[u8]) -> S {
    S::decode(bytes)
        .unwrap_or_else(|why| panic!("accumulator {group} of the call does not decode: {why}"))
}
