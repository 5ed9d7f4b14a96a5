//! A chain and its copy (T8).
//!
//! A chain that was copied has the id of its original. Each would take what the other adds for its own, and delete the files
//! of the other as left over. So a table names the place of its chain. A chain that lies elsewhere goes on with the table
//! only if that place has no chain of this id any more: then it was moved. A copy on another machine under the same name is not
//! seen.

use super::claim::{self, WriterOfTable};
use super::decide::Owner;
use super::problem::LogError;
use super::publish::TableLog;
use super::state::LogState;
use sluicegate_chain::inspect::{FirstObject, first_object};
use sluicegate_chain::{ChainError, LaneStorage};
use sluicegate_store::failure::StoreFailure;
use sluicegate_store::{self as store, Backing, Location, StoreOptions};

impl TableLog {
    /// Refuses the table to a copy of the chain that has it, as far as its log was read.
    ///
    /// # Errors
    ///
    /// [`LogError::is_of_copy`]; [`LogError::Store`] or [`LogError::Chain`] if nobody can tell.
    pub async fn refuse_copy(
        &self,
        storage: &LaneStorage,
        stores: &StoreOptions,
    ) -> Result<(), LogError> {
        refuse(self.state(), self.owner(), self.location(), (storage, stores)).await
    }
}

/// Refuses a table to a copy of the chain that has it. Writes nothing.
///
/// # Errors
///
/// As [`TableLog::refuse_copy`].
pub(super) async fn refuse(
    state: &LogState,
    owner: &Owner,
    table: &Location,
    (storage, stores): (&LaneStorage, &StoreOptions),
) -> Result<(), LogError> {
    let Some(WriterOfTable { chain, place }) = claim::writer_of(state, owner) else {
        return Ok(());
    };
    if place == owner.place || place.is_empty() {
        return Ok(());
    }
    let Some(here) = first_object(storage).await?.filter(|here| here.chain == chain) else {
        return Ok(());
    };
    match look(&place, storage, stores).await? {
        Some((there, backing)) if there == here && tells_objects_apart(&backing) => Ok(()),
        Some((there, _)) if there.chain == chain => {
            let reason = words(&chain, &place, &owner.place);
            Err(LogError::copied(table, reason))
        }
        _ => Ok(()),
    }
}

/// Whether objects that look the same are one. A copy of a file is another file. A bucket may be a replica, whose objects keep tag
/// and time.
fn tells_objects_apart(backing: &Backing) -> bool {
    !matches!(backing, Backing::Server { .. })
}

/// The chain at another place, and what keeps it. None if there is none, or if this host may not look there. Then it is told, and
/// so it is where that was a folder, perhaps of another machine.
async fn look(
    place: &str,
    storage: &LaneStorage,
    stores: &StoreOptions,
) -> Result<Option<(FirstObject, Backing)>, LogError> {
    let untold = |why: &dyn std::fmt::Display| {
        tracing::warn!(
            pipeline = %storage.job, place,
            "the chain of this id was in another place before: {why}; if it was copied and not moved, never start that one again"
        );
    };
    let there = match store::look(place, stores) {
        Ok(chain) => LaneStorage { chain, ..storage.clone() },
        Err(error) => {
            untold(&error);
            return Ok(None);
        }
    };
    match first_object(&there).await {
        Err(ChainError::Store { explanation, failure }) if failure != StoreFailure::MayPass => {
            untold(&explanation);
            Ok(None)
        }
        found => {
            let (found, backing) = (found?, there.chain.backing);
            if found.is_none() && backing == Backing::Directory {
                untold(&"nothing is there on this machine");
            }
            Ok(found.map(|found| (found, backing)))
        }
    }
}

/// Why one of two that have the same id may not write, with the fix.
pub(super) fn words(chain: &str, there: &str, here: &str) -> String {
    format!(
        "is written by the chain {chain} in {there}, and this one has the same id and is in {here}: one of them is a copy. To go on with that \
         one, or if both are one place, write that one as `checkpoint.path`. To go on with this one, stop whoever runs that one, and delete it"
    )
}
