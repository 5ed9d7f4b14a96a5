//! Rows of a Parquet file as Arrow batches, for people who look at a table. The stream itself reads no table.

use arrow::array::RecordBatch;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::Result;

use super::ranges::Ranges;
use sluicegate_store::Location;
use sluicegate_store::failure::is_absent;

const SUFFIX: &str = ".parquet";

/// The bytes of the Parquet file that a place names; none if it names a folder.
///
/// # Errors
///
/// The store's.
pub async fn file_size(place: &Location) -> object_store::Result<Option<u64>> {
    if !place.prefix.as_ref().ends_with(SUFFIX) {
        return Ok(None);
    }
    match place.store.head(&place.prefix).await {
        Ok(file) => Ok(Some(file.size)),
        // A folder may be called so.
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// All Parquet files of a folder at any depth, each below it, with its bytes.
///
/// # Errors
///
/// The store's.
pub async fn parquet_files(table: &Location) -> object_store::Result<Vec<(String, u64)>> {
    let objects = table.store.list(Some(&table.prefix)).try_filter_map(|object| async move {
        let is_file = object.location.as_ref().ends_with(SUFFIX);
        Ok(is_file.then(|| (table.below(&object.location), object.size)))
    });
    objects.try_collect().await
}

/// The first `limit` rows of the file at `path` below a place, which has `size` bytes. No more of it is read than they take.
///
/// # Errors
///
/// It is no Parquet file, or the store's.
pub async fn first_rows(
    table: &Location,
    path: &str,
    size: u64,
    limit: usize,
) -> Result<Vec<RecordBatch>> {
    let ranges = Ranges::of(table, table.path(path), size);
    let footer = ranges.footer().await?;
    let rows = ParquetRecordBatchStreamBuilder::new_with_metadata(ranges, footer);
    rows.with_limit(limit).build()?.try_collect().await
}
