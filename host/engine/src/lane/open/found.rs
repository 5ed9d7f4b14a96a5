//! That the files which lie in the tables' folders have the columns that the pipeline would write, whoever wrote them.
//!
//! The chain knows the columns of the tables that it has written. It does not know the files that a reset left, those
//! of another pipeline, nor those at the same place by another name. So one file of each kind is asked itself.

use std::collections::BTreeMap;

use sluicegate_chain::paths::LaneTag;
use sluicegate_chain::{ChainError, LaneStorage};
use sluicegate_connect::sink::found::{Writer, found_columns};
use sluicegate_delta::LogError;
use sluicegate_delta::contents::has_log;
use sluicegate_pipeline::fingerprint::columns::{TableColumns, TableConflict};
use sluicegate_store::failure::{StoreFailure, explain};

/// Why tables cannot be written on.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    /// A file has other columns.
    #[error(transparent)]
    Columns(#[from] TableConflict),
    /// A plain folder is to be where a Delta table is.
    #[error(
        "the folder of table `{table}`, {url}, holds a Delta table: its log would not have what is written now, and whoever \
         reads all files would find rows twice that were compacted; write `delta` again, or choose another `path`"
    )]
    HasLog {
        /// Its id.
        table: String,
        /// Its folder.
        url: String,
    },
    /// The store failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The store failed when it was asked for a log.
    #[error(transparent)]
    Log(#[from] LogError),
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
        if has_log(location).await? {
            let (table, url) = (table.id.clone(), location.url.clone());
            return Err(FoundError::HasLog { table, url });
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;
    use object_store::ObjectStoreExt;

    use super::*;
    use sluicegate_chain::Keep;
    use sluicegate_store::Location;

    #[tokio::test]
    async fn a_plain_folder_where_a_delta_table_lies_is_refused() {
        let root = Location::in_memory();
        let storage = LaneStorage {
            chain: root.child("chain"),
            tables: BTreeMap::from([(Arc::from("rows"), root.child("rows"))]),
            job: "toy".to_owned(),
            lane: "0".to_owned(),
            keep: Keep::default(),
        };
        let (id, schema) = ("rows".to_owned(), Arc::new(Schema::empty()));
        let tables = [TableColumns { id, place: "rows".to_owned(), schema }];
        let known = BTreeMap::new();
        let check = || check_files(&tables, &storage, &known);
        check().await.unwrap();
        let commit = root.path("rows/_delta_log/00000000000000000000.json");
        root.store.put(&commit, "{}".into()).await.unwrap();
        let said = check().await.unwrap_err().to_string();
        assert!(
            said.contains("holds a Delta table") && said.contains("write `delta` again"),
            "{said}"
        );
    }
}
