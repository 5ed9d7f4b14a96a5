//! A pipeline, checked: typed, with every name resolved. [`mod@file`] reads what was written; strings end there.
//!
//! It knows what may be written, and says so in the schema and in the reference that are made of it. Nothing is opened here:
//! whether a topic, a bucket or a plugin exists is found by those who use them. Only [`environment`] reads the environment.

#![forbid(unsafe_code)]

pub mod file;
mod document;
mod problem;
mod raw;
pub mod duration;
mod files;
pub mod size;
mod column;
mod metadata;
mod kafka;
mod direct;
mod place;
mod scalar;
mod shape;
mod sink;
mod suggest;
mod check;
pub mod environment;
pub mod fingerprint;
pub mod summary;
pub mod reference;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sluicegate_model::call::{CallLimits, KEY_FIRINGS};
use sluicegate_model::module::{PluginKind, StagePlace};
use sluicegate_model::schema::Schema;

use sluicegate_model::window::WindowKind;

pub use check::RESERVED_COLUMNS;
pub use direct::unsupported_by_direct_fetch;
pub use duration::parse as parse_duration;
pub use file::ConfigError;
pub use files::{FileOrder, FilesConfig};
pub use kafka::{
    ClientProperties, EndPosition, FetchWay, KafkaConfig, KafkaSinkConfig, OffsetsGroup,
    OnDataLoss, StartPosition, forbidden,
};
pub use sink::{CompactionConfig, SinkConfig, SinkKind, TableFormat, TableLocation};
pub use size::parse as parse_size;

/// Reads and checks a pipeline file; its `${env:NAME}` are variables of `environment`.
///
/// # Errors
/// The file cannot be read, or what it says is refused, with all that is wrong.
pub fn load(path: &Path, environment: &environment::Environment) -> Result<Pipeline, ConfigError> {
    file::load(path, environment.variables())
}

/// A pipeline file that makes sense by itself. Whether its plugins fit is checked when they are loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// Its identity: it names the chain. `[a-z0-9][a-z0-9-]{0,62}`.
    pub name: Arc<str>,
    /// One topic or one set of files.
    pub source: SourceConfig,
    /// The columns of a record.
    pub schema: Schema,
    /// Which column is the event time, and how far it is trusted.
    pub event_time: EventTimeConfig,
    /// The filters and maps, in the order of the file.
    pub stages: Vec<StageConfig>,
    /// Windows and their aggregate. None: rows go straight to the sinks.
    pub window: Option<WindowConfig>,
    /// Keys and their plugin. Never together with a window.
    pub keyed: Option<KeyedConfig>,
    /// At least one; ids are unique.
    pub sinks: Vec<SinkConfig>,
    /// Undecodable and refused records. None: they are counted, said in the log and dropped, because the file says so.
    pub dead_letters: Option<TableLocation>,
    /// Late rows. None: they are counted and dropped.
    pub late: Option<TableLocation>,
    /// When and where to commit.
    pub checkpoint: CheckpointConfig,
    /// Who works, where several instances run it.
    pub leadership: LeadershipConfig,
    /// What happens when no single record is to blame.
    pub failures: Failures,
    /// Bounds of a turn and of a plugin's calls.
    pub limits: Limits,
}

impl Pipeline {
    /// The tables it writes by their ids: those of the sinks, `late` and `dead_letters`.
    pub fn tables(&self) -> Vec<(Arc<str>, &TableLocation)> {
        let sinks = self.sinks.iter().filter_map(|sink| match &sink.kind {
            SinkKind::Table(location) => Some((Arc::clone(&sink.id), location)),
            SinkKind::Kafka(_) | SinkKind::Console { .. } => None,
        });
        let late = self.late.iter().map(|location| (Arc::from("late"), location));
        let dead = self.dead_letters.iter().map(|location| (Arc::from("dead_letters"), location));
        sinks.chain(late).chain(dead).collect()
    }

    /// Whether anybody reads the headers of records: a dead letter has them, and columns may.
    pub fn reads_headers(&self) -> bool {
        self.dead_letters.is_some() || self.schema.reads_headers()
    }

    /// The stages in the order of the file, the one with state last.
    pub fn all_stages(&self) -> impl Iterator<Item = &StageConfig> {
        self.stages.iter().chain(self.stateful_stage())
    }

    /// The stage that keeps state: the aggregate, or the process plugin.
    pub fn stateful_stage(&self) -> Option<&StageConfig> {
        let aggregate = self.window.as_ref().map(|window| &window.aggregate);
        aggregate.or_else(|| self.keyed.as_ref().map(|keyed| &keyed.stage))
    }
}

/// A topic or files, as the table `[source]` chooses.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceConfig {
    /// Partitions of a topic, with Kafka's offsets.
    Kafka(KafkaConfig),
    /// NDJSON files, with byte offsets of lines.
    Files(FilesConfig),
}

impl SourceConfig {
    /// Whether files are watched for, so that the end of all those there are is no end.
    pub fn is_watched(&self) -> bool {
        matches!(self, Self::Files(files) if files.watch.is_some())
    }

    /// Whether its input has an end.
    pub fn ends(&self) -> bool {
        match self {
            Self::Kafka(kafka) => kafka.end.is_some(),
            Self::Files(files) => files.watch.is_none(),
        }
    }
}

/// Where event time comes from, how late rows may be, and which times are absurd.
#[derive(Clone, Debug, PartialEq)]
pub struct EventTimeConfig {
    /// A column, or the record's own timestamp.
    pub from: EventTimeFrom,
    /// How far the watermark stays behind the largest event time seen.
    pub max_out_of_orderness: Duration,
    /// A caught-up partition that was silent this long no longer holds the watermark back. None: it always does.
    pub idle_after: Option<Duration>,
    /// A partition whose largest event time is further ahead of the slowest one's is not read until the lead has
    /// halved. None: whatever the lead.
    pub max_ahead: Option<Duration>,
    /// Events further ahead of their record's Kafka timestamp are dead-lettered. None: no guard (files).
    pub max_future_skew: Option<Duration>,
    /// Compare with the host's clock instead of the record's timestamp.
    pub future_reference_host: bool,
    /// Events further ahead of the host's clock are dead-lettered, whatever their record says. None: no such bound.
    pub max_future_skew_host: Option<Duration>,
    /// Events further ahead of those before them in their partition are dead-lettered, unless the next one agrees. None: no
    /// such bound.
    pub max_jump: Option<Duration>,
}

/// Where event time comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventTimeFrom {
    /// A timestamp column of the schema, by index.
    Column(usize),
    /// Kafka's timestamp of the record; not for files.
    RecordTimestamp,
}

/// A stage: one plugin in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageConfig {
    /// Stable: state and releases refer to it.
    pub id: Arc<str>,
    /// What kind of plugin belongs here.
    pub kind: PluginKind,
    /// A path (with a separator or ending in `.wasm`) or a name in the module store.
    pub plugin: PluginRef,
    /// Given to the plugin's `init`, sorted by key.
    pub config: Vec<(String, String)>,
    /// The column that an input of the plugin reads, where that has another name.
    pub columns: BTreeMap<String, String>,
}

impl StageConfig {
    /// What a plugin must fit into.
    pub fn place(&self) -> StagePlace<'_> {
        StagePlace {
            stage: &self.id,
            kind: self.kind,
            config: &self.config,
            columns: &self.columns,
        }
    }
}

/// How a pipeline file names a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginRef {
    /// A file, relative to the pipeline file.
    Path(std::path::PathBuf),
    /// A name in the module store; the newest version, or the one pinned by the chain.
    Name(String),
}

/// Windows, the key that groups rows in them, and the aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowConfig {
    /// Shape and lengths, in microseconds.
    pub kind: WindowKind,
    /// How long a fired window is kept for corrections, microseconds.
    pub allowed_lateness: i64,
    /// Columns after the last map, by name; may be empty (one group a window).
    pub key: Vec<String>,
    /// The stage of kind aggregate.
    pub aggregate: StageConfig,
}

impl WindowConfig {
    /// Whether a group can have several results, of which the one with the highest revision counts.
    pub fn corrects(&self) -> bool {
        self.allowed_lateness > 0 || self.is_global()
    }

    /// Whether there is one window for all of time; its results have no bounds.
    pub fn is_global(&self) -> bool {
        matches!(self.kind, WindowKind::Global { .. })
    }
}

/// Keys with state and timers.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyedConfig {
    /// Columns after the last map, by name; may be empty (one key).
    pub key: Vec<String>,
    /// A key without timers is forgotten when the watermark is so many µs beyond its last row. None: never.
    pub ttl: Option<i64>,
    /// The stage of the keyed plugin.
    pub stage: StageConfig,
}

/// What people call windows of that kind: `tumbling 30s`, `sliding 1m every 10s`. The words of a kind never change: they
/// stand in chain records.
fn window_words(kind: WindowKind) -> String {
    let show = |micros: i64| duration::show(Duration::from_micros(micros.unsigned_abs()));
    let (words, offset) = match kind {
        WindowKind::Tumbling { size, offset } => (format!("tumbling {}", show(size)), offset),
        WindowKind::Sliding { size, slide, offset } => {
            (format!("sliding {} every {}", show(size), show(slide)), offset)
        }
        WindowKind::Session { gap, max_length } => {
            (format!("session gap {} up to {}", show(gap), show(max_length)), 0)
        }
        // When it is emitted may change.
        WindowKind::Global { .. } => ("global".to_owned(), 0),
    };
    if offset == 0 { words } else { format!("{words} offset {}", show(offset)) }
}

/// When and where to commit.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckpointConfig {
    /// At most this long between two barriers while records come.
    pub interval: Duration,
    /// Records of the chain stay at least this long.
    pub retain: Duration,
    /// Absolute path or URL below which `<job>/lanes/…` and `modules/…` lie.
    pub url: String,
    /// The same as it stands in the pipeline file.
    pub written: String,
}

/// How instances of a pipeline agree who works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadershipConfig {
    /// A leader that is silent for so long, and for the margin more, is taken for dead.
    pub ttl: Duration,
    /// How often it shows a sign of life.
    pub beat: Duration,
    /// What the leader leaves of its time, and what others add.
    pub margin: Duration,
}

impl Default for LeadershipConfig {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { ttl: seconds(15), beat: seconds(5), margin: seconds(2) }
    }
}

/// What happens when a plugin fails and no single record is to blame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// A group that cannot be merged or evaluated, a timer that cannot fire.
    pub on_group_failure: OnFailure,
    /// Rows that an open circuit breaker refuses unexamined.
    pub on_breaker: OnFailure,
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It becomes a dead letter, and the pipeline goes on.
    #[default]
    DeadLetter,
    /// The pipeline halts before anything of it is committed.
    Halt,
}

/// Bounds. Each default stands beside its reason in [`mod@file`].
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Threads of a turn; 0: one a core.
    pub workers: usize,
    /// Records that a turn takes at most.
    pub turn_records: usize,
    /// Bytes of values of a turn.
    pub turn_bytes: usize,
    /// How long a turn collects after its first record.
    pub turn_linger: Duration,
    /// Rows of one call of a plugin.
    pub call_rows: usize,
    /// Bytes (rows and states) of one call of a plugin.
    pub call_bytes: usize,
    /// CPU time of one call of a plugin.
    pub call_deadline: Duration,
    /// Bytes of linear memory that one instance may have.
    pub plugin_memory: u64,
    /// Bytes that one call may return.
    pub plugin_output: u64,
    /// Timers of one key of a process plugin.
    pub key_timers: usize,
    /// Bytes of the state of one key of a process plugin.
    pub key_state: usize,
    /// Bytes of open windows' keys and accumulators beyond which intake pauses.
    pub state_bytes: u64,
}

impl From<&Limits> for CallLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            rows: limits.call_rows,
            bytes: limits.call_bytes,
            deadline: limits.call_deadline,
            memory: limits.plugin_memory,
            output: limits.plugin_output,
            key_timers: limits.key_timers,
            key_state: limits.key_state,
            key_firings: KEY_FIRINGS,
        }
    }
}
