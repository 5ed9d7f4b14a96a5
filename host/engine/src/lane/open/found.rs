//! That the files which lie in the tables' folders have the columns that the pipeline would write, whoever wrote them.
//!
//! The chain knows the columns of the tables that it has written. It does not know the files that a reset left, those
//! of another pipeline, nor those at the same place by another name. So one file of each kind is asked itself.

use std::collections::BTreeMap;

use sluicegate_chain::paths::LaneTag;
use sluicegate_chain::{ChainError, LaneStorage};
use sluicegate_connect::sink::found::{Writer, found_columns};
use sluicegate_pipeline::fingerprint::columns::{TableColumns, TableConflict};
use sluicegate_store::failure::{StoreFailure, explain};

/// Why tables cannot be written on.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    /// A file has other columns.
    #[error(transparent)]
    Columns(#[from] TableConflict),
    /// The store failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Looks at a file or two of each table: at one of somebody else, and at one of the pipeline's own where `known`, the
/// fingerprints of the chain, knows nothing of that place. Costs two listings and two small reads a table.
///
/// # Errors
///
/// See [`FoundError`].
pub async fn check_files(
    tables: &[TableColumns],
    storage: &LaneStorage,
    known: &BTreeMap<String, String>,
) -> Result<(), FoundError> {
    let tag = LaneTag::new(&storage.job, &storage.lane);
    for table in tables {
        let Some(location) = storage.tables.get(&*table.id) else { continue };
        let is_known = table.is_known(known);
        let writer = |name: &str| match tag.parse(name) {
            Some(_) => (!is_known).then_some(Writer::Own),
            None => Some(Writer::Other),
        };
        let found = found_columns(location, &tag.end(), writer).await;
        let found = found.map_err(|error| ChainError::Store {
            explanation: explain("read the columns of a table's files", location, &error),
            failure: StoreFailure::of(&error),
        })?;
        for file in found {
            table.check_file(&file.path, &file.schema)?;
        }
    }
    Ok(())
}
