//! How pipelines stand.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::commits::Commit;
use super::history::{Rates, StageRates};
use super::limits::Limit;
use super::releases::StageRelease;
use super::shape::Shape;
use super::words;
use sluicegate_chain::fates::Fates;
use sluicegate_connect::source::Fetched;
use sluicegate_engine::lead::{LeadView, Role, TakeOverKind};
use sluicegate_engine::memory::{Holds, MemoryView};
use sluicegate_engine::status::{CompactionView, DeadLetterCount, Phase, TableLogView};
use sluicegate_model::module::PluginKind;
use sluicegate_model::time::EventTime;

/// All pipelines of the program.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Pipelines {
    /// All of them, in the order of their names.
    pub pipelines: Vec<PipelineLine>,
    /// The running `sluicegate` that answers.
    pub host: Host,
}

/// The running `sluicegate` that answers, and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// Its version, as `sluicegate --version` says it.
    pub version: String,
    /// When it began to serve; RFC 3339.
    pub started: String,
    /// Its clock, RFC 3339: what it says of times is by this clock and not by the reader's.
    pub now: String,
}

/// A pipeline in short: how it stands and how fast it goes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PipelineLine {
    /// `name` of the pipeline file.
    pub name: String,
    /// Where it is in its life.
    #[schema(value_type = words::Phase)]
    pub phase: Phase,
    /// Why nothing moves, if it does not.
    pub problem: Option<String>,
    /// What should be known, though it does its work: of one that stands by, that its pipeline file is not the leader's.
    #[serde(default)]
    pub note: Option<String>,
    /// Who works, where several hosts run it.
    pub leadership: Leadership,
    /// The last committed epoch; none before the first.
    pub epoch: Option<u64>,
    /// RFC 3339; none before the first event and after the last.
    pub watermark: Option<String>,
    /// How far the watermark is behind the wall clock.
    pub watermark_delay_seconds: Option<f64>,
    /// Every window of a bounded input has fired.
    pub input_ended: bool,
    /// All partitions whose end is known together; none if no end is.
    pub lag: Option<i64>,
    /// Records since the genesis by fate.
    pub records: Records,
    /// Rates a second, over the last ten seconds.
    pub rates: Rates,
    /// Records of the last minute that were late; null in the first seconds of the program.
    pub late_a_minute: Option<u64>,
    /// Dead letters of the last minute: records, groups, timers and messages; null in the first seconds of the program.
    pub dead_letters_a_minute: Option<u64>,
}

/// Who leads a pipeline, as this host knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Leadership {
    /// What this host is: `opening`, `standby` or `leader`.
    #[schema(value_type = words::Role)]
    pub role: Role,
    /// The newest term of leadership; null where none is known.
    pub term: Option<u64>,
    /// Host and process of who leads; null where nobody is known to.
    pub leader: Option<String>,
    /// Where the leader can be asked, if it was started with `--advertise`.
    pub url: Option<String>,
    /// Since when this host is what it is; RFC 3339.
    pub since: String,
    /// The last time that this host took over from another one; null if it never has.
    #[serde(default)]
    pub took_over: Option<TookOver>,
}

/// A host took the place of another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TookOver {
    /// Why: `hand_over`, the leader before has ended and said so; `fail_over`, it has died or showed no sign of life.
    #[schema(value_type = words::TakeOverKind)]
    pub kind: TakeOverKind,
    /// From the last sign of the leader before until this host worked.
    pub seconds: f64,
    /// When it worked; RFC 3339.
    pub at: String,
}

impl From<&LeadView> for Leadership {
    fn from(view: &LeadView) -> Self {
        Self {
            role: view.role,
            term: view.term.map(|term| term.0),
            leader: view.leader.clone(),
            url: view.url.clone(),
            since: EventTime(view.since_micros).to_string(),
            took_over: view.took_over.map(|took_over| TookOver {
                kind: took_over.kind,
                seconds: took_over.took.as_secs_f64(),
                at: EventTime(took_over.at_micros).to_string(),
            }),
        }
    }
}

/// Records by what became of them: `read = accepted + filtered + late + dead_lettered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Records {
    /// Records that were taken from the source.
    pub read: u64,
    /// At least one row reached a window, a key or a sink, and none was dead-lettered.
    pub accepted: u64,
    /// No row was left after the filters and maps.
    pub filtered: u64,
    /// Rows were left, all of them late.
    pub late: u64,
    /// Any of it was dead-lettered.
    pub dead_lettered: u64,
}

/// A pipeline in full: also its partitions, stages, limits and commits.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PipelineStatus {
    /// What the list of pipelines says of it.
    #[serde(flatten)]
    pub line: PipelineLine,
    /// Open groups: window × key.
    pub open_groups: u64,
    /// Bytes of their keys and accumulators.
    pub state_bytes: u64,
    /// What it holds in memory; null while it is not open.
    #[serde(default)]
    pub memory: Option<MemoryStatus>,
    /// Who fetches the records of its topic; null for files, and while it is not open.
    #[serde(default)]
    pub fetch: Option<FetchStatus>,
    /// Turns since the lane was opened.
    pub turns: u64,
    /// What was dead-lettered since the lane was opened, by kind, groups and timers included.
    #[serde(default)]
    #[schema(value_type = Vec<DeadLettersOfKind>)]
    pub dead_letters: Vec<DeadLetterCount>,
    /// How far the logs of its Delta tables are.
    #[serde(default)]
    pub table_logs: Vec<TableLogStatus>,
    /// What the pipeline is made of.
    pub shape: Shape,
    /// What each stage runs and has done.
    pub stages: Vec<StageStatus>,
    /// In order; at most 1,000.
    pub partitions: Vec<PartitionStatus>,
    /// How many partitions are not listed.
    pub partitions_left_out: usize,
    /// The last ones since the program started, the newest first; at most 60.
    pub commits: Vec<Commit>,
    /// What the pipeline may not exceed, and how near it is.
    pub limits: Vec<Limit>,
    /// The running `sluicegate` that answers.
    pub host: Host,
}

impl PipelineStatus {
    /// A topic has fewer; a folder of files may have many thousands.
    pub const PARTITIONS_MAX: usize = 1_000;
}

/// Who fetches the records of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FetchStatus {
    /// `direct` or `librdkafka`, as `source.kafka.fetch` calls them.
    pub by: String,
    /// Why it is librdkafka, if `fetch` is `auto`; otherwise null.
    pub because: Option<String>,
}

impl From<&Fetched> for FetchStatus {
    fn from(fetched: &Fetched) -> Self {
        let because = fetched.instead.as_deref().map(str::to_owned);
        Self { by: fetched.by.to_owned(), because }
    }
}

/// What a pipeline holds in memory by kind, and all pipelines of the process together; in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemoryStatus {
    /// By all pipelines of the process.
    pub used: u64,
    /// What they may hold together (`--memory`); null if that is not known.
    pub limit: Option<u64>,
    /// Keys and accumulators.
    pub state: u64,
    /// The copy of them that is on its way to the store.
    pub copy: u64,
    /// Linear memory of the plugins' instances.
    pub plugins: u64,
    /// Set aside for records that are read ahead, and for what a turn makes of them.
    pub input: u64,
    /// Files and messages that wait for the next checkpoint.
    pub staged: u64,
    /// Files of the epoch that is not stored yet, and messages that are not delivered.
    pub in_flight: u64,
    /// Small files of Delta tables that are put together just now, old and new.
    #[serde(default)]
    pub compaction: u64,
}

impl MemoryStatus {
    /// What this pipeline holds, by kind.
    pub(crate) fn kinds(&self) -> [(&'static str, u64); 7] {
        let Self { state, copy, plugins, input, staged, in_flight, compaction, .. } = *self;
        [
            ("state", state),
            ("copy", copy),
            ("plugins", plugins),
            ("input", input),
            ("staged", staged),
            ("in flight", in_flight),
            ("compaction", compaction),
        ]
    }
}

impl From<MemoryView> for MemoryStatus {
    fn from(view: MemoryView) -> Self {
        let MemoryView { lane, input, compaction, used, limit, state_max: _ } = view;
        let Holds { state, copy, plugins, staged, in_flight } = lane;
        Self { used, limit, state, copy, plugins, input, staged, in_flight, compaction }
    }
}

/// How far the log of a Delta table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableLogStatus {
    /// A sink's id, or `late` or `dead_letters`.
    pub table: String,
    /// What readers see; null if there is no table yet.
    pub version: Option<u64>,
    /// Committed epochs that the log lacks: its readers wait for them.
    pub epochs_behind: u64,
    /// Why it waits, if it does.
    pub problem: Option<String>,
    /// Small files that became larger ones since the pipeline was opened here.
    #[serde(default)]
    pub compacted_files: u64,
    /// The larger ones.
    #[serde(default)]
    pub compacted_into: u64,
    /// Why the last attempt to put small files together failed, if it did.
    #[serde(default)]
    pub compaction_problem: Option<String>,
}

impl From<&TableLogView> for TableLogStatus {
    fn from(view: &TableLogView) -> Self {
        let TableLogView { table, version, epochs_behind, problem, compacted } = view.clone();
        let CompactionView { files, into_files, problem: compaction_problem } = compacted;
        Self {
            table: table.to_string(),
            version,
            epochs_behind,
            problem,
            compacted_files: files,
            compacted_into: into_files,
            compaction_problem,
        }
    }
}

/// Dead letters of one kind.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes a type of another crate, and is never made")]
struct DeadLettersOfKind {
    /// As in the dead-letter table.
    #[schema(value_type = words::DeadLetterKind)]
    kind: String,
    /// How many since the lane was opened.
    count: u64,
    /// The stage of the first of them.
    first_stage: String,
    /// The reason of the first of them.
    first_reason: String,
    /// The record of the first of them; absent for a group, a timer or a message.
    first_record: Option<RecordPlace>,
}

/// Where a record stands.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes a type of another crate, and is never made")]
struct RecordPlace {
    /// Topic or file.
    stream: String,
    /// Number of the partition; 0 for a file.
    partition: i32,
    /// In its partition; of a line of a file the byte at which it begins.
    offset: i64,
}

/// A partition as it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PartitionStatus {
    /// The topic, or the path of the file.
    pub stream: String,
    /// Number of the partition; 0 for a file.
    pub partition: i32,
    /// The next record to read.
    pub next_offset: i64,
    /// The end as last seen.
    pub end_offset: Option<i64>,
    /// Records, or bytes of a file, that are there and not read yet.
    pub lag: Option<i64>,
    /// The partition's own watermark, RFC 3339; null before its first record.
    pub watermark: Option<String>,
    /// The largest event time that was seen in it, RFC 3339; null before its first record.
    pub max_event_time: Option<String>,
    /// It does not hold the watermark back.
    pub idle: bool,
    /// The pipeline's watermark waits for this one: no other that counts has come less far.
    pub holds_watermark: bool,
    /// Too far ahead of the others: not read until they have caught up.
    pub paused: bool,
    /// How often its position was lost and moved since the pipeline was started: the chain has each.
    pub jumps: u64,
    /// What became of its records since the genesis.
    pub records: Records,
}

/// A stage as it runs. Counts are those of its module since it took its place in this program; all are 0 before the
/// pipeline was first opened.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StageStatus {
    /// The module that the stage runs, as the newest record pins it.
    #[serde(flatten)]
    pub release: StageRelease,
    /// The plugin's kind; none if the pipeline file has no such stage.
    #[schema(value_type = Option<words::PluginKind>)]
    pub kind: Option<PluginKind>,
    /// The module's number in the module store; none if it has none there, or the store was not heard yet.
    pub version: Option<u64>,
    /// Rows that came to the stage.
    pub rows: u64,
    /// Those of them that did not go on: filtered, refused, or rows that a map made nothing of.
    pub dropped: u64,
    /// Rates a second, over the last ten seconds.
    pub rates: StageRates,
    /// How often the plugin was called.
    pub calls: u64,
    /// CPU time of those calls, all workers together.
    pub cpu_seconds: f64,
    /// Calls that ended with a trap of the plugin, a panic of its code included.
    pub traps: u64,
    /// Calls that took too much CPU time.
    pub deadlines: u64,
    /// Rows that the plugin itself refused.
    pub rejects: u64,
    /// Linear memory of its instances, all workers together.
    pub memory_bytes: u64,
    /// When the module took another's place, RFC 3339; none if it did not since the program started.
    pub activated: Option<String>,
}

impl From<Fates> for Records {
    fn from(fates: Fates) -> Self {
        let Fates { read, accepted, filtered, late, dead_lettered } = fates;
        Self { read, accepted, filtered, late, dead_lettered }
    }
}
