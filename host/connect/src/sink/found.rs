//! The columns of files that lie in a table's folder, whoever wrote them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use object_store::path::Path;
use parquet::errors::ParquetError;

use super::ranges::Ranges;
use sluicegate_store::once::in_time;
use sluicegate_store::{Location, failure};

/// How many names of a folder are looked at: a page of a listing.
const NAMES_MAX: usize = 1_000;

/// Whether the pipeline itself wrote a file, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writer {
    /// The pipeline's, of whatever chain.
    Own,
    /// The name is none that this pipeline gives.
    Other,
}

/// A file with its columns.
#[derive(Clone, Debug)]
pub struct FoundColumns {
    /// Relative to the table's folder, date folder included.
    pub path: String,
    /// As a reader of Parquet sees them.
    pub schema: SchemaRef,
}

/// The columns of the newest file of each kind in a table, as `kind_of` sorts them by their names; what it does not sort is
/// passed over. A page of names from the beginning is looked at and one behind `own_end`, the name behind all that are the
/// pipeline's own. A file that is no Parquet is left out with a warning.
///
/// # Errors
///
/// The store's.
pub async fn found_columns(
    table: &Location,
    own_end: &str,
    kind_of: impl Fn(&str) -> Option<Writer>,
) -> object_store::Result<Vec<FoundColumns>> {
    let root = (!table.prefix.as_ref().is_empty()).then_some(&table.prefix);
    let first = table.store.list(root).take(NAMES_MAX);
    let behind = table.store.list_with_offset(root, &table.path(own_end)).take(NAMES_MAX);
    let mut newest: BTreeMap<Writer, ObjectMeta> = BTreeMap::new();
    let listed: Vec<ObjectMeta> = in_time(first.chain(behind).try_collect()).await?;
    for object in listed {
        let Some(name) = data_file(table, &object.location) else { continue };
        let Some(writer) = kind_of(name) else { continue };
        let before = newest.get(&writer);
        if before.is_none_or(|before| before.last_modified < object.last_modified) {
            newest.insert(writer, object);
        }
    }
    let mut found = Vec::new();
    for object in newest.into_values() {
        found.extend(columns_of(table, object).await?);
    }
    Ok(found)
}

/// The name of a file that readers of the table take: they pass over names that begin with a dot or an underscore.
fn data_file<'p>(table: &Location, path: &'p Path) -> Option<&'p str> {
    let below = path.prefix_match(&table.prefix)?;
    let is_hidden = below.into_iter().any(|part| part.as_ref().starts_with(['.', '_']));
    path.filename().filter(|name| !is_hidden && name.ends_with(".parquet"))
}

async fn columns_of(
    table: &Location,
    object: ObjectMeta,
) -> object_store::Result<Option<FoundColumns>> {
    let path = object.location;
    let columns = Ranges::of(table, path.clone(), object.size).footer().await;
    let unreadable = |error: &dyn std::fmt::Display| {
        let (file, url) = (table.below(&path), &table.url);
        tracing::warn!(file, url, "a file in the folder of a table is not a Parquet file: {error}");
    };
    match columns {
        Ok(columns) => Ok(Some(FoundColumns {
            path: table.below(&path),
            schema: Arc::clone(columns.schema()),
        })),
        Err(ParquetError::External(error)) => match error.downcast::<object_store::Error>() {
            // Somebody removed it meanwhile.
            Ok(error) if failure::is_absent(&error) => Ok(None),
            Ok(error) => Err(*error),
            Err(error) => {
                unreadable(&error);
                Ok(None)
            }
        },
        Err(error) => {
            unreadable(&error);
            Ok(None)
        }
    }
}
