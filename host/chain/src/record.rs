//! The chain record: the immutable object that makes an epoch exist.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::fates::Fates;
use super::finished::FinishedRecord;
pub use super::pieces::{Piece, StateRef};
use super::shape::{FileStatistics, TableShape};
use sluicegate_model::identity::{Jump, SourceIdentity};
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::position::{Partition, Position};
use sluicegate_model::time::{EventTime, Watermark};

/// The number of a checkpoint in its lane: 0 for the genesis, then one more each.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The first record of a chain.
    pub const GENESIS: Self = Self(0);

    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a leadership; the fence (docs/design/commit.md#who-may-write). 1 for the first
/// owner of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term(pub u64);

/// Why a record stands in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// The start offsets, pinned before the first record is read (docs/design/decisions.md#d5).
    Genesis,
    /// A checkpoint of the running lane.
    Data,
    /// A new owner took the lane; nothing else changed.
    Fence,
}

/// One partition in a chain record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionState {
    /// Topic and number, or a file.
    #[serde(flatten)]
    pub partition: Partition,
    /// The next record to read: all before it have a fate.
    #[serde(flatten)]
    pub position: Position,
    /// The largest event time seen in it.
    pub max_event_time: Option<EventTime>,
    /// The event time of its last record, if that has jumped and was refused for it (`event_time.max_jump`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<EventTime>,
    /// Its records since the genesis by fate.
    pub fates: Fates,
}

/// A committed file as the chain record lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// A sink's id, or that of late rows or dead letters.
    pub table: String,
    /// Path below the table's root.
    pub path: String,
    /// Bytes of the file in its store.
    pub bytes: u64,
    /// Of the bytes, 64 hex digits.
    pub sha256: String,
    /// Rows of the Parquet file.
    pub rows: u64,
    /// Smallest and largest event time in it, µs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time_range: Option<(i64, i64)>,
    /// Partition values by column, as text. Where the table has folders, as in the path.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub partition_values: BTreeMap<String, String>,
    /// Partition columns in which all its rows have null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null_partitions: Vec<String>,
    /// What is known of its columns. Only for tables with a log.
    #[serde(default, skip_serializing_if = "FileStatistics::is_empty")]
    pub statistics: FileStatistics,
}

/// The messages of an epoch for Kafka topics (`outbox`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboxRef {
    /// The epoch that made them: a fence names those of an earlier one.
    pub epoch: Epoch,
    /// Path below the lane's folder.
    pub key: String,
    /// Bytes of the object, compressed.
    pub bytes: u64,
    /// Of the bytes as stored, hex.
    pub sha256: String,
    /// Messages for all topics together, tombstones included.
    pub messages: u64,
}

/// The module that a stage runs from this epoch on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedModule {
    /// The stage's id in the pipeline file.
    pub stage: String,
    /// The label under which it was uploaded.
    pub name: String,
    /// SHA-256 of the bytes that run: the chain pins these and no name.
    pub digest: ModuleDigest,
    /// How many modules this stage has had, this one included; the generation of its state rows.
    pub generation: u32,
    /// Version of the layout of its accumulators; 0 for stateless stages.
    pub state_version: u32,
}

/// A module that took the place of another in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activation {
    /// The first epoch whose record pins it.
    pub epoch: Epoch,
    /// When that record was written, by its writer's clock.
    pub at: EventTime,
    /// The stage that changed, by its `id` in the pipeline file.
    pub stage: String,
    /// The label under which it was uploaded.
    pub name: String,
    /// The module that the stage runs from this record on.
    pub digest: ModuleDigest,
    /// The label of the module before.
    pub previous_name: String,
    /// The module that ran in this stage until then.
    pub previous: ModuleDigest,
}

/// The record before, by number and by the hash of its whole body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// That of the record before: one less, always.
    pub epoch: Epoch,
    /// SHA-256 of its body, hex.
    pub sha256: String,
}

/// The opening that wrote a record: its name for people, and its nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writer {
    /// Host name and process, for people.
    pub instance: String,
    /// Random, new for every opening of a lane: makes bodies and names of different writers differ, also those of two
    /// lives of a lane in one process.
    pub nonce: String,
}

/// What kind of source the positions belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Topic partitions and Kafka offsets.
    Kafka,
    /// Files and byte offsets of lines.
    Files,
}

/// The positions of a record. Never optional: no record exists without them
/// (docs/design/commit.md#c4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceState {
    /// What offsets count: records of a topic, or bytes of a file.
    pub kind: SourceKind,
    /// The input has ended and every window has fired: running again does nothing
    /// (docs/design/decisions.md#d5).
    pub ended: bool,
    /// Which input the positions belong to. Unknown in records that are older than the field.
    #[serde(default, skip_serializing_if = "SourceIdentity::is_unknown")]
    pub identity: SourceIdentity,
    /// Ascending by partition, so that the same state has the same bytes.
    pub partitions: Vec<PartitionState>,
    /// Positions that were lost, or moved by a person, since the record before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jumps: Vec<Jump>,
    /// Files that were read to their end, which are no partitions any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<FinishedRecord>,
}

impl SourceState {
    /// All records since the genesis by fate, those of finished files included.
    pub fn fates(&self) -> Fates {
        let partitions = self.partitions.iter().map(|state| state.fates);
        let finished = self.finished.iter().map(|finished| finished.fates);
        partitions.chain(finished).fold(Fates::default(), Fates::plus)
    }
}

/// One epoch of one lane. Create-only, immutable, the only truth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainRecord {
    /// Version of this layout: [`VERSION`](super::body::VERSION).
    pub v: u32,
    /// The pipeline's name, as in its file.
    pub job: String,
    /// Name of the lane within it: `0`.
    pub lane: String,
    /// 0 for the genesis, then one more each; the name of its slot says the same.
    pub epoch: Epoch,
    /// Random, made with the genesis and the same in every record since: tells this chain from one that was forgotten.
    /// Empty in chains that are older than the field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chain: String,
    /// In the genesis of a chain that was begun after `reset`: the chains of this lane that were forgotten, by the id in names
    /// of data files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
    /// In the genesis of a chain that was begun after `reset`: what else it has lies in a folder of its own, so that it shares no
    /// name with a chain that was forgotten ([`home`](super::home)).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
    /// Genesis, data, or a fence, which changes nothing but the owner.
    pub kind: RecordKind,
    /// Committed and not yet to be shown to readers. Always false: nothing holds results back yet.
    pub held: bool,
    /// None for the genesis only.
    pub parent: Option<Parent>,
    /// Number of the ownership. Never less than that of the record before.
    pub term: Term,
    /// Which opening wrote it. One with the same term and another nonce is another writer.
    pub writer: Writer,
    /// Positions up to which `files`, `state` and `outbox` hold everything.
    pub source: SourceState,
    /// That of the lane, which never goes back, not in another life either.
    pub watermark: Watermark,
    /// The open groups; none if there are none.
    pub state: Option<StateRef>,
    /// Data files of this epoch, late rows and dead letters included, each in its table.
    pub files: Vec<DataFile>,
    /// The columns of those tables with files here that have a log, by the tables' ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, TableShape>,
    /// Messages that may not be sent yet; those of all records before are (C8). None if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox: Option<OutboxRef>,
    /// What each stage runs from here on.
    pub modules: Vec<PinnedModule>,
    /// The last modules that took the place of others, oldest first: at most
    /// [`ACTIVATIONS_MAX`](super::activations::ACTIVATIONS_MAX). None in records that are older than the field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub activations: Vec<Activation>,
    /// Fingerprints of the parts of the pipeline file that state depends on, by name
    /// (docs/design/decisions.md#d6).
    pub config: BTreeMap<String, String>,
}

impl ChainRecord {
    /// The id of the chain, also where records are older than the field: such a chain is the only one of its lane.
    pub fn chain_id(&self) -> String {
        match self.chain.is_empty() {
            true => format!("{}/{}", self.job, self.lane),
            false => self.chain.clone(),
        }
    }
}
