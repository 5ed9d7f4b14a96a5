//! What was observed in the store → what opening a lane must do. Pure.

use std::sync::Arc;

use object_store::path::Path;

use super::body::SlotBody;
use super::paths::DataFileName;
use super::record::{Epoch, RecordKind, Term};

/// How many of the newest slots an opening reads: it checks that each names the one before by its hash, and looks
/// for orphans of those epochs. A fence that a crash left with its orphans is among them unless the lane was
/// opened and lost 64 times in between. Twice as many always stay ([`super::collect`]).
pub const LOOK_BACK: usize = 64;

/// What an opening found: not all at one moment, but the chain before the files.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Name of the pipeline, which records must have.
    pub job: String,
    /// Name of the lane, which records must have.
    pub lane: String,
    /// Somebody has said that a chain may begin beside data files that are there (`mark`).
    pub may_begin: bool,
    /// The chain's id in names of data files; empty if there is no chain.
    pub chain: String,
    /// The hash of the fence that this opening has put, if it has. A record of an earlier life of the same process is
    /// another's: what that life sent may still land.
    pub fence: Option<String>,
    /// An owner of the lane says that it lives, or has not said that it has ended ([`super::beat`]).
    pub is_owned: bool,
    /// How many slots were to be read.
    pub look_back: usize,
    /// The newest slots, newest first, at most `look_back` and our fence. Empty if there is no chain.
    pub slots: Vec<SlotBody>,
    /// There is a record of epoch 0.
    pub has_genesis: bool,
    /// The newest epoch as the listing gave it.
    pub latest: Option<Epoch>,
    /// Data files in all tables of the lane: those of this chain for the epochs of `slots` and later, and those of
    /// earlier namings whose chain a slot may prove; or all of the lane, whatever their chain, if there is none.
    pub files: Vec<FoundFile>,
}

/// A data file in a table's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// In which table's folder it lies.
    pub table: Arc<str>,
    /// Where, in that table's store.
    pub path: Path,
    /// Whose it is and for which epoch.
    pub name: DataFileName,
    /// Size of the object in the listing.
    pub bytes: u64,
}

/// What opening must do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// There is no chain. The genesis takes this term, which is above those of any earlier life of the lane.
    Begin {
        /// The term that the genesis is to take.
        term: Term,
        /// Data files that a lane of this name left when its chain was forgotten. They are kept.
        earlier_files: usize,
    },
    /// There is no chain, and there are data files of this lane, and nobody has said that it may begin beside them.
    Beside,
    /// There are files of an epoch that is not decided yet: its record may still land and name them (C5). Or another
    /// writer may be sending the outbox of the head, and must not commit on top of it while we send the same: what it sent
    /// then would come before our repeats (C8, and O4 of `outbox`). Or an owner lives, and of two owners the one
    /// that came later goes on. Take the next slot, then look again.
    Fence {
        /// The term that the fence is to take.
        term: Term,
    },
    /// Delete the orphans, then run.
    Ready {
        /// The term that the new owner's records are to take.
        term: Term,
        /// Files to delete, as indexes of [`Observed::files`].
        orphans: Vec<usize>,
        /// Files that no record lists and that may be another chain's. They are left alone.
        unproven: usize,
    },
}

/// Decides.
///
/// # Errors
///
/// The sentence that says why the chain cannot be trusted (C3, C4).
pub fn resolve(observed: &Observed) -> Result<Opening, String> {
    check_slots(observed)?;
    let (Some(head), Some(oldest)) = (observed.slots.first(), observed.slots.last()) else {
        if !observed.files.is_empty() && !observed.may_begin {
            return Ok(Opening::Beside);
        }
        let earlier = observed.files.iter().map(|file| file.name.term).max();
        let term = earlier.map_or(Term(1), next_term);
        return Ok(Opening::Begin { term, earlier_files: observed.files.len() });
    };
    let term = next_term(head.record.term);
    let is_ours = observed.fence.as_deref() == Some(head.sha256());
    if (head.record.outbox.is_some() || observed.is_owned) && !is_ours {
        return Ok(Opening::Fence { term });
    }
    let (mut orphans, mut unproven) = (Vec::new(), 0);
    for (index, FoundFile { name, .. }) in observed.files.iter().enumerate() {
        let is_earlier_life = name.chain.is_none() && name.term < oldest.record.term;
        if is_earlier_life || name.epoch < oldest.record.epoch {
            continue; // or beyond the look-back
        }
        let slot = head.record.epoch.0.checked_sub(name.epoch.0);
        let slot = slot.map(|back| &observed.slots[slot_index(back)]);
        match (whose(observed, name), slot) {
            (Whose::Ours, None) => return Ok(Opening::Fence { term }),
            (_, Some(slot)) if lists(slot, name) => {}
            (Whose::Ours, Some(_)) => orphans.push(index),
            (Whose::Unknown, _) => unproven += 1,
            (Whose::Anothers, _) => {}
        }
    }
    Ok(Opening::Ready { term, orphans, unproven })
}

/// Of which chain a data file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    Anothers,
    /// It has a name of an earlier version, and no slot that was read is by its writer.
    Unknown,
}

fn whose(observed: &Observed, name: &DataFileName) -> Whose {
    match &name.chain {
        Some(chain) if *chain == observed.chain => Whose::Ours,
        Some(_) => Whose::Anothers,
        None if observed.slots.iter().any(|slot| slot.record.writer.nonce == name.nonce) => {
            Whose::Ours
        }
        None => Whose::Unknown,
    }
}

fn next_term(term: Term) -> Term {
    Term(term.0 + 1)
}

/// Slots are contiguous from the head down: checked before.
fn slot_index(back: u64) -> usize {
    usize::try_from(back).expect("within the look-back")
}

fn lists(slot: &SlotBody, name: &DataFileName) -> bool {
    let name = name.to_string();
    let file_name = |path: &str| path.rsplit('/').next().map(str::to_owned);
    slot.record.files.iter().any(|file| file_name(&file.path).as_ref() == Some(&name))
}

/// That the slots are this lane's, without a gap from the newest down to the genesis or the look-back, and each
/// named by its successor with the hash of its whole body.
fn check_slots(observed: &Observed) -> Result<(), String> {
    let mut expected = observed.latest;
    let mut parent = None;
    for slot in &observed.slots {
        let record = &slot.record;
        let epoch = expected.ok_or("there are slots before the genesis")?;
        if record.epoch != epoch {
            return Err(format!("slot {epoch} holds the record of epoch {}", record.epoch));
        }
        if record.job != observed.job || record.lane != observed.lane {
            return Err(format!(
                "slot {epoch} belongs to lane `{}/{}`, not to `{}/{}`",
                record.job, record.lane, observed.job, observed.lane
            ));
        }
        if let Some(hash) = parent.replace(record.parent.clone())
            && hash.is_none_or(|parent| parent.epoch != epoch || parent.sha256 != slot.sha256())
        {
            return Err(format!("the record after epoch {epoch} names another parent"));
        }
        let is_genesis = epoch == Epoch::GENESIS;
        if is_genesis != (record.kind == RecordKind::Genesis)
            || is_genesis != record.parent.is_none()
        {
            return Err(format!(
                "epoch {epoch} is not a genesis but begins the chain, or the reverse"
            ));
        }
        expected = epoch.0.checked_sub(1).map(Epoch);
    }
    match expected {
        Some(missing) if observed.slots.len() < observed.look_back => {
            Err(format!("there is no record of epoch {missing}"))
        }
        _ if !observed.has_genesis && observed.latest.is_some() => {
            Err("there is no record of epoch 0".to_owned())
        }
        _ => Ok(()),
    }
}
