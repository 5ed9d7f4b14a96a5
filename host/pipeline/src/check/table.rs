//! A table of Parquet files: its folder, its date folders, the size of its files.

use std::path::Path;

use super::limits::bounded;
use super::location::location;
use crate::document::Key;
use crate::place::WrittenPlace;
use crate::problem::Problems;
use crate::raw::RawPartitionBy;
use crate::size::SizeText;
use crate::{TableFormat, TableLocation};

/// Large enough for readers, small enough to be kept in memory while it is written.
const FILE_BYTES_DEFAULT: u64 = 128 << 20;
/// Below it a Parquet file is mostly footer.
const FILE_BYTES_MIN: u64 = 64 << 10;
/// A file is encoded in memory before it is put.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// A table as it was written, but for its folder.
pub(super) struct WrittenTable {
    pub(super) format: TableFormat,
    pub(super) partition_by: Option<RawPartitionBy>,
    pub(super) file_bytes_max: Option<SizeText>,
}

pub(super) fn check_table(
    path: &str,
    table: WrittenTable,
    key: &Key,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<TableLocation> {
    let WrittenTable { format, partition_by, file_bytes_max } = table;
    let place = problems.take(&key.child("path"), location(path, folder));
    let file_bytes_max = match file_bytes_max {
        None => Some(FILE_BYTES_DEFAULT),
        Some(text) => {
            bounded(&text, FILE_BYTES_MIN, FILE_BYTES_MAX, &key.child("file_bytes_max"), problems)
        }
    };
    let partition_by_date = matches!(partition_by, Some(RawPartitionBy::Date));
    let WrittenPlace { written, url } = place?;
    Some(TableLocation { url, written, format, partition_by_date, file_bytes_max: file_bytes_max? })
}
