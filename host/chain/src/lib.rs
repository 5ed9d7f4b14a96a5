//! The commit chain: what is durable (docs/design/commit.md). The checkpoint is the commit, and
//! nothing else decides anything.
//!
//! A lane's chain is a row of numbered objects, each created once and never changed. The record of an epoch says
//! where the source stands, which state goes with it, which data files belong to the tables and which modules run.
//! What no record names does not exist, whatever lies in the store.
//!
//! # Layout
//!
//! See [`paths`].
//!
//! # Order of writes
//!
//! ```text
//! lane:       … turn, turn, barrier ─► FrozenEpoch          turn, turn, …             barrier ─► …
//! committer:                             data files ─► state, outbox ─► slot (create-only)
//!                                                                        └─ the commit
//! ```
//!
//! One epoch is in flight; the lane goes on meanwhile ([`committer`]). Names of data files, states and outboxes hold the
//! epoch and the writer's term and nonce, and each opening is a new writer, so no two writers share a name (C9).
//!
//! # What a crash leaves
//!
//! | died after | in the store | the next opening | a reader of the plain directory |
//! |---|---|---|---|
//! | the barrier | nothing | goes on from the head | old epoch |
//! | some or all data files | files that no record names | takes the slot with a fence, deletes them | their rows, until that opening |
//! | the state blob | the same, and a blob | the same; the blob goes when its epoch is old | the same |
//! | sending the slot, no answer | the record, or not, or not yet | finds the record, or decides the slot by a fence | old or new epoch |
//! | the slot | a committed epoch | goes on from it | new epoch |
//! | a fence | a record without files | deletes the orphans that it decided | their rows, until then |
//! | half of the orphans deleted | the other half | deletes them | some of their rows, until then |
//! | a put that lands later still | a file of a decided epoch | nothing; a `sweep` finds it, however old its epoch | its rows, until that sweep |
//! | the slot was lost | a record of another | – ; the loser has removed what it put | their rows, for a moment |
//! | half of a reset | a mark, the newest slots, no genesis | says that the chain is damaged; `reset` again | old epoch |
//! | a reset | a mark | begins anew beside the files that were kept (`mark`) | old epoch |
//!
//! The rows that a reader may see too early and which then vanish are the price of a plain
//! directory (docs/design/decisions.md#d7); a table log removes it.
//!
//! # Invariants
//!
//! * **C1** Slots, data files, states and outboxes are created once and never changed. Slots are contended for: one conditional
//!   put each ([`put_once`](sluicegate_store::once::put_once)). The others have names that one writer has for itself (C9), under
//!   which it sends one sequence of bytes; a large one goes up in parts and needs no condition
//!   ([`Upload`](sluicegate_store::upload)).
//! * **C2** For one slot a writer only ever sends one body: it is frozen before the first send, and whose record
//!   a slot holds is judged by the hash of the whole body. Otherwise a first send that lands late is taken for the
//!   second. ([`body`])
//! * **C3** Each record names its parent by epoch and by the hash of its body, and slots have no gaps: what was
//!   read from the head is what every owner before agreed on. ([`resolve`])
//! * **C4** No record is without positions of the source: the type has none to leave out.
//! * **C5** A data file is deleted as an orphan only when the slot of its epoch is decided and does not list it.
//!   An opening that finds files of an undecided epoch first takes that slot, with a fence. Otherwise a put of the
//!   slot that a dead process sent may land afterwards and name files that are gone. ([`resolve`])
//! * **C6** After a lost slot a writer commits nothing more. ([`committer`])
//! * **C7** Terms never decrease along the chain, and each owner's term is above its head's; the genesis of a lane
//!   whose chain was forgotten takes a term above those of all data files that were kept. ([`resolve`])
//! * **C8** A record is written only when the outbox of the one before was delivered; a fence names it again. So what may
//!   be unsent stands in the head. (`outbox`, O3)
//! * **C9** A writer is one opening: term and nonce are new each time, also in the same process, and stand in the name of
//!   everything that it puts beside its slots. Otherwise a put of an earlier life that lands late replaces what a later one
//!   committed, or takes its name. ([`Opener`], [`paths`])
//! * **C10** The chain's id stands in the names of its data files, and only files of the own chain are deleted: by the id
//!   in their names, or, in names of earlier versions, by a record's proof. Otherwise two chains over one table delete what
//!   the other committed. ([`paths`], [`resolve`])
//! * **C11** A record carries a hash of itself, since the newest has no successor that names it. ([`body`])
//! * **C12** A record lists files of its own writer only, and all that this writer put for its epoch. So whoever wrote the
//!   slot of an epoch tells of every file of that epoch whether it is committed. (`sweep`, `commit`)
//! * **C13** No chain begins beside data files of its lane unless somebody has said so, once. Otherwise a chain that is gone
//!   or a mistyped path doubles every row. (`mark`)
//! * **C14** Before each slot the writer sees that its head is still there with the same bytes, so a chain that was deleted, or
//!   replaced by another, is noticed and not continued. A deletion between that look and the put leaves a record without a
//!   past, which the next commit or opening notices. (`commit`)
//! * **C15** A piece of a state or an outbox is deleted only when its epoch is [`resolve::LOOK_BACK`] behind the head and none of the
//!   newest records names it. The genesis is never deleted, nor are the newest [`Keep::slots_min`] slots. (`retire`)
//! * **C16** to **C19** An older slot is deleted only below a floor that says who wrote it; what lies below the floor counts for
//!   nothing; a put is confirmed by a look at the floor; and what cannot be decided is not withdrawn. ([`collect`])
//! * **C20** After its put a writer sees that its chain's genesis is still there: somebody may have forgotten the chain. (`commit`)
//! * **C21** A chain that begins after a reset shares no name with those before it, but that of the genesis. (`home`)
//! * **C22** A reset deletes the genesis first. Where there is none no record counts, and no chain begins beside records. ([`reset`])
//!
//! `tests/search` checks by exhaustive search that C1 to C7 and C9 suffice with two writers that
//! crash, lost answers and puts that land late. It leaves out C1, C2, C5, C6 and C9 one by one, and
//! finds a counter-example each time. Others do that for C15 to C19 with collectors that sleep, and for C20 to C22 with owners that sleep through a reset. C8 is tried by whole lanes whose couriers die half-way
//! (`lane/tests`).
//!
//! # Retries
//!
//! The committer repeats the same request with the same bytes for ever, with waits from 0.1 s to 30 s; meanwhile
//! [`Committer::problem`] says why, and the lane stops its intake when the next barrier comes. An opening gives up
//! after a few attempts, and the lane's supervisor waits and opens again: until the first commit nothing can be
//! lost.
//!
//! # What it costs
//!
//! An epoch: a put for each data file, for the state, the outbox and the slot, a read of the head and of the genesis, and a listing of
//! the floor. Beside it a lane
//! beats while it has no news ([`beat`]), makes two listings and two deletions each sixteen epochs (`retire`), deletes old slots 128 at a time ([`collect`]), and lists all its data files after one and ten minutes and then every hour (`sweep`). An opening: a few
//! listings, [`resolve::LOOK_BACK`] small reads, and a sweep for as long as five seconds.
//!
//! # What it knows
//!
//! Objects, and what must be written before what. A module is a digest here, a data file its name and its hash, a state its
//! bytes: what they mean is for others, so nothing of Parquet, Kafka, plugins or the pipeline file is known.

#![forbid(unsafe_code)]

pub mod fates;
mod pieces;
pub mod record;
pub mod shape;
pub mod activations;
pub mod paths;
pub mod folders;
pub mod body;
pub mod resolve;
mod files;
mod blobs;
mod merged;
pub mod frozen;
mod mark;
mod own;
mod sweep;
mod presence;
mod floor;
mod writers;
pub mod collect;
mod retire;
mod housekeeping;
mod sound;
mod store;
mod home;
mod ahead;
mod open;
mod stored;
pub mod opener;
pub mod beat;
pub mod lead;
pub mod outcome;
mod gone;
mod problem;
pub mod committer;
mod commit;
pub mod reset;
mod hand;
pub mod skip;
pub mod inspect;
pub mod follow;
pub mod moves;
pub mod verify;
pub mod modules;
pub mod finished;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use activations::History;
use body::SlotBody;
use record::{Epoch, Parent, StateRef, Term, Writer};
use retire::Recent;
use sluicegate_runtime::Names;
use sluicegate_store::Location;
use sluicegate_store::failure::{StoreFailure, explain};
use store::LaneStore;

pub use collect::{Deleted, Keep, Published};
pub use committer::Committer;
pub use frozen::{EncodedFile, FrozenEpoch, FrozenOutbox, FrozenState};
pub use gone::Gone;
pub use merged::{MergedBase, MergedPacking};
#[cfg(test)]
use opener::open;
pub use opener::{Opened, Opener, Survey};
pub use outcome::{CommitOutcome, LostSlot};
pub use presence::{PATIENCE_MIN, Presence, presence};
pub use reset::{DataFiles, Footprint, Seen, footprint, forget};
pub use skip::{give_up_outbox, unsent};
pub use stored::StoredPieces;

/// Where a lane keeps what is durable.
#[derive(Clone, Debug)]
pub struct LaneStorage {
    /// The root that the pipeline file calls `checkpoint.path`.
    pub chain: Location,
    /// The folders of all tables that the lane writes, late rows and dead letters included, by the tables' ids.
    pub tables: BTreeMap<Arc<str>, Location>,
    /// The pipeline's name. Without a dot or a slash.
    pub job: String,
    /// The lane's within it. Without a slash.
    pub lane: String,
    /// How long old records stay.
    pub keep: Keep,
}

/// The right to add to a lane's chain: where it ends, and as whom. Comes from [`Opener`] only.
#[derive(Debug)]
pub struct Chain {
    job: String,
    lane: String,
    /// See [`record::ChainRecord::chain`].
    id: String,
    /// The same as it stands in names of data files.
    files_id: String,
    /// For the genesis: see [`record::ChainRecord::earlier`].
    earlier: Vec<String>,
    /// The same, if it lies apart ([`home`]).
    apart: Option<String>,
    /// What the newest records name.
    recent: Recent,
    /// None before the genesis.
    head: Option<Parent>,
    /// What the head pins.
    history: History,
    /// What the head names.
    state: Option<StateRef>,
    term: Term,
    writer: Writer,
}

impl Chain {
    /// The epoch that is committed next.
    pub fn next_epoch(&self) -> Epoch {
        self.head.as_ref().map_or(Epoch::GENESIS, |head| head.epoch.next())
    }

    /// The lane's folder, as this chain has it.
    fn store(&self, storage: &LaneStorage) -> LaneStore {
        let lane = LaneStore::new(&storage.chain, &self.job, &self.lane);
        LaneStore { apart: self.apart.clone(), ..lane }
    }

    /// Random; the same since the genesis, and another after a reset: see [`record::ChainRecord::chain`].
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Above the term of every owner before (C7).
    pub fn term(&self) -> Term {
        self.term
    }
}

impl Writer {
    /// A writer with a new nonce. `instance` is for people: a host name and process number.
    fn new(instance: &str, names: &Names) -> Self {
        Self { instance: instance.to_owned(), nonce: names.next_short() }
    }
}

/// How the record after `body` names it.
fn parent_of(body: &SlotBody) -> Parent {
    Parent { epoch: body.record.epoch, sha256: body.sha256().to_owned() }
}

/// Why a lane cannot be opened, or an epoch not be committed.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The store failed or refused.
    #[error("{explanation}")]
    Store {
        /// What was attempted, where, the store's words and the fix.
        explanation: String,
        /// Whether a repetition may help, or somebody has to do something first.
        failure: StoreFailure,
    },
    /// What lies in the store contradicts itself: objects were deleted or changed by hand.
    #[error(
        "the chain at {url} is damaged: {reason}; put back those objects, and no others, from the versions that a bucket keeps or from a \
         backup; or forget the chain with `sluicegate reset`"
    )]
    Damaged {
        /// The lane's folder in the store, as a URL.
        url: String,
        /// The objects or fields that contradict each other, and how.
        reason: String,
    },
    /// Something is no record or no state.
    #[error(
        "{what} cannot be read: {reason}; put back that object, and no other, from the version before in a bucket that keeps them or \
         from a backup; or forget the chain with `sluicegate reset`"
    )]
    Unreadable {
        /// Which record, state, outbox or mark it is, as the message begins.
        what: String,
        /// Why its bytes cannot be taken, as the decoder or a check puts it.
        reason: String,
    },
    /// A program with another layout wrote the chain.
    #[error(
        "record of epoch {epoch} has layout {found}, this program reads up to {}: run the version that wrote it, or a newer one",
        body::VERSION
    )]
    Version {
        /// The slot that was read.
        epoch: Epoch,
        /// The field `v` of the record, above what this version reads.
        found: u32,
    },
    /// The record passes [`body::RECORD_BYTES_MAX`], so it was not put.
    #[error(
        "record of epoch {epoch} would have {bytes} bytes, limit is {}",
        body::RECORD_BYTES_MAX
    )]
    TooLarge {
        /// The epoch that was to be committed.
        epoch: Epoch,
        /// Bytes that the record would have as JSON.
        bytes: usize,
    },
    /// A name that only this writer uses holds something else: somebody copies or makes objects by hand, or the store lost
    /// what it had taken. Another opening has other names.
    #[error(
        "`{path}` in {url} holds other bytes than were put there: look who else writes into that folder"
    )]
    NameTaken {
        /// The full path in the store of the name that is taken.
        path: String,
        /// The folder in which it was put, as a URL.
        url: String,
    },
    /// Another writer took slot after slot while the lane was opened.
    #[error("another instance is writing the chain at {url}: stop one of them")]
    Contended {
        /// The lane's folder in the store, as a URL.
        url: String,
    },
    /// There is no chain, and data files of its lane lie in its tables: to begin would read everything into them once more.
    #[error(
        "there is no chain of pipeline `{job}` in {url}, but {files} data files of it lie in its tables, among them \
         `{example}`: correct `checkpoint.path`, or give the pipeline another name; if the chain that wrote them is not to \
         go on, `sluicegate reset FILE` lets it begin from scratch beside them"
    )]
    Beside {
        /// The name that the pipeline file gives.
        job: String,
        /// The lane's folder, where a chain would be.
        url: String,
        /// Data files of the lane in all its tables.
        files: usize,
        /// The first of them, as the message names it.
        example: String,
    },
    /// The newest record of a lane that runs is not there any more.
    #[error("the chain at {url} {gone}: epoch {epoch}, its newest, is not there any more; {}", gone.advice())]
    Forgotten {
        /// The lane's folder in the store, as a URL.
        url: String,
        /// The newest epoch that this process knows of.
        epoch: Epoch,
        /// What became of it, as far as one sees.
        gone: Gone,
    },
    /// The committer's thread ended by a panic.
    #[error("the committer ended unexpectedly")]
    CommitterDied,
}

impl ChainError {
    /// Whether opening the lane again may help by itself. Otherwise somebody has to do something first.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store { failure, .. } => *failure != StoreFailure::Impossible,
            Self::Contended { .. } | Self::NameTaken { .. } | Self::CommitterDied => true,
            Self::Damaged { .. }
            | Self::Beside { .. }
            | Self::Forgotten { .. }
            | Self::Unreadable { .. }
            | Self::Version { .. }
            | Self::TooLarge { .. } => false,
        }
    }

    fn store(what: &str, location: &Location, error: &object_store::Error) -> Self {
        let explanation = explain(what, location, error);
        Self::Store { explanation, failure: StoreFailure::of(error) }
    }
}
