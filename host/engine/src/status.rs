//! What the lane tells the outside. HTTP reads the last published [`LaneStatus`]; they never touch the
//! lane's state.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use crate::lately::Lately;
use crate::memory::MemoryView;
use sluicegate_chain::fates::Fates;
use sluicegate_chain::record::{Activation, ChainRecord, Epoch, PinnedModule};
use sluicegate_connect::source::Fetched;
use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_sandbox::plugin::Plugin;

/// A consistent copy of what a lane is doing, made at the end of a turn, at most a few times a second.
#[derive(Clone, Debug, Serialize)]
pub struct LaneStatus {
    /// `name` of the pipeline file.
    pub pipeline: String,
    /// Where the lane is in its life.
    pub phase: Phase,
    /// Why nothing moves, if it does not: `broker … is not reachable`, `store … is full`. Or that most records become
    /// dead letters, so that what moves is of no use.
    pub problem: Option<String>,
    /// What whoever runs it should know, though it does its work: of one that stands by, that its pipeline file is not the leader's.
    pub note: Option<String>,
    /// The last committed epoch.
    pub epoch: Option<Epoch>,
    /// How far event time has come in all partitions that count.
    pub watermark: Watermark,
    /// In the order in which they were found, those of finished files no more.
    pub partitions: Vec<PartitionView>,
    /// Who fetches the records of the topic; none for files, and before the source is there.
    #[serde(skip)]
    pub fetched: Option<Fetched>,
    /// The module that each stage runs, in the order of the stages.
    pub modules: Vec<PinnedModule>,
    /// Modules that have taken the place of others, oldest first, as the last record tells it.
    pub activations: Arc<[Activation]>,
    /// All partitions together, since the genesis.
    pub fates: Fates,
    /// Open groups (window × key).
    pub groups: u64,
    /// Bytes of their keys and accumulators.
    pub state_bytes: u64,
    /// What all lanes of the process hold; none while the lane is not open.
    #[serde(skip)]
    pub memory: Option<MemoryView>,
    /// Turns since the lane was opened.
    pub turns: u64,
    /// What was dead-lettered since the lane was opened, by kind; groups and timers included.
    pub dead_letters: Vec<DeadLetterCount>,
    /// How far the logs of the tables are that have one, in the order of the tables.
    pub table_logs: Vec<TableLogView>,
    /// The last dead letters and late rows that are not committed.
    #[serde(skip)]
    pub lately: Arc<Lately>,
    /// What the chain says, as one that stands by has last read it: all else here is for whoever works to say.
    #[serde(skip)]
    pub followed: Option<Arc<Followed>>,
}

/// What the newest record of a chain says that another instance writes.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Its epoch.
    pub epoch: Epoch,
    /// As [`LaneStatus::modules`].
    pub modules: Vec<PinnedModule>,
    /// As [`LaneStatus::activations`].
    pub activations: Vec<Activation>,
}

impl Followed {
    pub(crate) fn of(head: &ChainRecord) -> Arc<Self> {
        let ChainRecord { epoch, modules, activations, .. } = head.clone();
        Arc::new(Self { epoch, modules, activations })
    }
}

impl LaneStatus {
    /// Of a pipeline whose lane was not opened yet.
    pub fn nothing_yet(pipeline: &str) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            phase: Phase::Opening,
            problem: None,
            note: None,
            epoch: None,
            watermark: Watermark::None,
            partitions: Vec::new(),
            fetched: None,
            modules: Vec::new(),
            activations: Arc::default(),
            fates: Fates::default(),
            groups: 0,
            state_bytes: 0,
            memory: None,
            turns: 0,
            dead_letters: Vec::new(),
            table_logs: Vec::new(),
            lately: Arc::default(),
            followed: None,
        }
    }

    /// The last committed epoch, as far as this instance knows.
    pub fn committed(&self) -> Option<Epoch> {
        self.followed.as_ref().map_or(self.epoch, |followed| Some(followed.epoch))
    }

    /// The module that each stage runs, here or on the host that works.
    pub fn running(&self) -> &[PinnedModule] {
        self.followed.as_ref().map_or(&self.modules, |followed| &followed.modules)
    }

    /// Modules that have taken the place of others, here or on the host that works, oldest first.
    pub fn activated(&self) -> &[Activation] {
        self.followed.as_ref().map_or(&self.activations, |followed| &followed.activations)
    }

    /// Adds why nothing moves, unless something before it has said why.
    pub(crate) fn add_problem(&mut self, problem: Option<String>) {
        self.problem = self.problem.take().or(problem);
    }
}

/// How far the log of a Delta table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableLogView {
    /// A sink's id, or that of late rows or dead letters.
    pub table: Arc<str>,
    /// What readers see; none if there is no table yet.
    pub version: Option<u64>,
    /// Committed epochs that the log lacks.
    pub epochs_behind: u64,
    /// Why it waits, if it does.
    pub problem: Option<String>,
    /// What became of its small files.
    pub compacted: CompactionView,
}

/// What the lane has made of the small files of a Delta table since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CompactionView {
    /// Small files that became larger ones.
    pub files: u64,
    /// The larger ones.
    pub into_files: u64,
    /// Why the last attempt failed, if it did.
    pub problem: Option<String>,
}

/// Dead letters of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterCount {
    /// As in the dead-letter table ([`DeadLetterKind`](sluicegate_model::dead_letter::DeadLetterKind)).
    pub kind: String,
    /// How many since the lane was opened.
    pub count: u64,
    /// The stage of the first of them.
    pub first_stage: String,
    /// The reason of the first of them.
    pub first_reason: String,
    /// The record of the first of them; none for a group, a timer or a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_record: Option<RecordPlace>,
}

/// `11 decode, the first at sluicegate: not JSON (sales/0 at offset 17)`.
impl fmt::Display for DeadLetterCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, count, first_stage, first_reason, first_record } = self;
        write!(f, "{count} {kind}, the first at {first_stage}: {first_reason}")?;
        first_record.as_ref().map_or(Ok(()), |record| write!(f, " ({record})"))
    }
}

/// Where a record stands in its source, to be found again there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPlace {
    /// The topic, or the path of the file.
    pub stream: String,
    /// Number of the partition; 0 for a file.
    pub partition: i32,
    /// In its partition; of a line of a file the byte at which it begins.
    pub offset: i64,
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} at offset {}", self.stream, self.partition, self.offset)
    }
}

/// Where a lane is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading the chain, loading modules and state.
    Opening,
    /// Taking turns.
    Running,
    /// Taking turns, and seeking the rows that a plugin fails on, which takes much of them.
    Isolating,
    /// Intake stands still until the store takes a commit.
    Paused,
    /// Another instance has taken the lane over: waits until it has ended, or shows no sign of life.
    Standby,
    /// Failed; the supervisor waits before it opens the lane again.
    BackingOff,
    /// The bounded input was read to its end and committed.
    Finished,
    /// Asked to stop, and stopped after a last commit.
    Stopped,
    /// Failed in a way that starting again would not mend: see `problem`.
    Halted,
}

impl Phase {
    /// All phases, in the order in which a lane can have them.
    pub const ALL: [Self; 9] = [
        Self::Opening,
        Self::Running,
        Self::Isolating,
        Self::Paused,
        Self::Standby,
        Self::BackingOff,
        Self::Finished,
        Self::Stopped,
        Self::Halted,
    ];
}

/// In words, for sentences.
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opening => "opening",
            Self::Running => "running",
            Self::Isolating => "isolating",
            Self::Paused => "paused",
            Self::Standby => "standing by",
            Self::BackingOff => "backing off",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Halted => "halted",
        })
    }
}

/// One partition as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct PartitionView {
    /// The topic, or the path of the file.
    pub stream: Arc<str>,
    /// Number of the partition; 0 for a file.
    pub partition: i32,
    /// The next record to read.
    pub next_offset: i64,
    /// The end as last seen.
    pub end_offset: Option<i64>,
    /// `end_offset - next_offset`, not less than 0: records of a topic, bytes of a file. None: the end is not known.
    pub lag: Option<i64>,
    /// How far event time has come in it, whatever the others do.
    pub watermark: Watermark,
    /// The largest event time seen.
    pub max_event_time: Option<EventTime>,
    /// Caught up and silent: it does not hold the lane's watermark back.
    pub idle: bool,
    /// The lane's watermark waits for this one: no other that counts has come less far.
    pub holds_watermark: bool,
    /// Further ahead of the others than `event_time.max_ahead`: not read until they have caught up.
    pub paused: bool,
    /// How often its position was lost and moved since the lane was opened: records were left out, or another topic
    /// took the place of the one before. The chain has each.
    pub jumps: u64,
    /// What became of its records since the genesis.
    pub fates: Fates,
}

/// A stage as it runs.
#[derive(Clone, Debug)]
pub struct StageView {
    /// Id of the stage in the pipeline file.
    pub id: Arc<str>,
    /// The rows before it with every declared column: what another module could ask for.
    pub input: SchemaRef,
    /// The module that runs, fitted into the stage.
    pub plugin: Plugin,
}

/// Whether two problems are one to a person: how often something was tried, and for how long, differs every time.
pub fn is_same_problem(one: &str, other: &str) -> bool {
    let without_numbers = |word: &&str| !word.contains(|c: char| c.is_ascii_digit());
    one.split_whitespace()
        .filter(without_numbers)
        .eq(other.split_whitespace().filter(without_numbers))
}

#[cfg(test)]
mod tests {
    use super::is_same_problem;

    #[test]
    fn attempts_and_times_do_not_make_another_problem() {
        let first = "not committed for 8 s: put a file in s3://warehouse/dead: Connection refused (os error 111)";
        let later = "not committed for 19 s: put a file in s3://warehouse/dead: Connection refused (os error 111)";
        assert!(is_same_problem(first, later));
        assert!(!is_same_problem(first, "broker `kafka:9092` is not reachable"));
    }
}
