//! A table of Parquet files: its folder, its date folders, the size of its files.

use super::limits::bounded;
use super::source::location;
use crate::config::TableLocation;
use crate::config::document::Key;
use crate::config::problem::Problems;
use crate::config::raw::RawPartitionBy;
use crate::config::size::SizeText;

/// Large enough for readers, small enough to be kept in memory while it is written.
const FILE_BYTES_DEFAULT: u64 = 128 << 20;
/// Below it a Parquet file is mostly footer.
const FILE_BYTES_MIN: u64 = 64 << 10;
/// A file is encoded in memory before it is put.
const FILE_BYTES_MAX: u64 = 4 << 30;

pub(super) fn check_table(
    path: &str,
    partition_by: Option<RawPartitionBy>,
    file_bytes_max: Option<SizeText>,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<TableLocation> {
    let url = problems.take(&key.child("path"), location(path));
    let file_bytes_max = match file_bytes_max {
        None => Some(FILE_BYTES_DEFAULT),
        Some(text) => {
            bounded(&text, FILE_BYTES_MIN, FILE_BYTES_MAX, &key.child("file_bytes_max"), problems)
        }
    };
    let partition_by_date = matches!(partition_by, Some(RawPartitionBy::Date));
    Some(TableLocation { url: url?, partition_by_date, file_bytes_max: file_bytes_max? })
}
