//! A table of Parquet files: its folder, what parts it, the size of its files.

use std::collections::BTreeSet;
use std::path::Path;

use super::limits::bounded;
use super::location::location;
use crate::document::Key;
use crate::place::WrittenPlace;
use crate::problem::Problems;
use crate::raw::RawPartitionBy;
use crate::size::SizeText;
use crate::{CompactionConfig, TableFormat, TableLocation};
use sluicegate_model::partition::PartitionBy;

/// Large enough for readers, small enough to be kept in memory while it is written.
const FILE_BYTES_DEFAULT: u64 = 128 << 20;
/// Below it a Parquet file is mostly footer.
const FILE_BYTES_MIN: u64 = 64 << 10;
/// A file is encoded in memory before it is put.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// A table as it was written, but for its folder.
pub(super) struct WrittenTable {
    pub(super) format: TableFormat,
    pub(super) partition_by: Vec<PartitionBy>,
    pub(super) file_bytes_max: Option<SizeText>,
    pub(super) compaction: WrittenCompaction,
    pub(super) epoch_column: bool,
}

impl WrittenTable {
    /// A table for which nothing else can be written.
    pub(super) fn plain(
        format: TableFormat,
        partition_by: Option<RawPartitionBy>,
        file_bytes_max: Option<SizeText>,
    ) -> Self {
        Self {
            format,
            partition_by: partition_by.map_or_else(Vec::new, RawPartitionBy::columns),
            file_bytes_max,
            compaction: WrittenCompaction::default(),
            epoch_column: false,
        }
    }
}

/// When small files become larger ones, as it was written; where nothing can be written, nothing.
#[derive(Default)]
pub(super) struct WrittenCompaction {
    pub(super) after_files: Option<u64>,
    pub(super) file_bytes: Option<SizeText>,
}

/// As Spark compacts by itself.
const COMPACT_FILES_DEFAULT: u64 = 50;
/// Beyond it a reader of the table waits for its files one after the other.
const COMPACT_FILES_MAX: u64 = 10_000;
/// What a reader takes at a time.
const COMPACT_BYTES_DEFAULT: u64 = 128 << 20;
/// Below it every file is small.
const COMPACT_BYTES_MIN: u64 = 64 << 10;
/// They are held in memory, old and new.
const COMPACT_BYTES_MAX: u64 = 1 << 30;

/// Problems, or when: never if it says so.
fn check_compaction(
    written: WrittenCompaction,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Option<Option<CompactionConfig>> {
    let WrittenCompaction { after_files, file_bytes } = written;
    let files = after_files.unwrap_or(COMPACT_FILES_DEFAULT);
    let files_key = key.child("compact_after_files");
    let file_bytes = match file_bytes {
        None => Some(COMPACT_BYTES_DEFAULT),
        Some(text) => {
            let key = key.child("compact_file_bytes");
            bounded(&text, COMPACT_BYTES_MIN, COMPACT_BYTES_MAX, &key, problems)
        }
    };
    if files == 1 || files > COMPACT_FILES_MAX {
        let fix = format!(
            "{files} is none of 2 to {COMPACT_FILES_MAX} files that can become one; write 0 if none ever is to"
        );
        problems.refuse(&files_key, fix);
        return None;
    }
    let file_bytes = file_bytes?;
    let after_files = usize::try_from(files).unwrap_or(usize::MAX);
    Some((files > 0).then_some(CompactionConfig { after_files, file_bytes }))
}

fn check_partitions(
    by: &[PartitionBy],
    format: TableFormat,
    key: &Key,
    problems: &mut Problems<'_>,
) {
    let mut seen = BTreeSet::new();
    if let Some(twice) = by.iter().find(|by| !seen.insert(by.name())) {
        problems.refuse(key, format!("`{}` stands twice: remove one", twice.name()));
    }
    if format == TableFormat::Parquet && by.contains(&PartitionBy::Hour) {
        let fix = "every start looks into each folder of a plain table, and of hours there would be too many: write \"date\", or make it a Delta table";
        problems.refuse(key, fix);
    }
}

pub(super) fn check_table(
    path: &str,
    table: WrittenTable,
    key: &Key,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<TableLocation> {
    let WrittenTable { format, partition_by, file_bytes_max, compaction, epoch_column } = table;
    let place = problems.take(&key.child("path"), location(path, folder));
    let file_bytes_max = match file_bytes_max {
        None => Some(FILE_BYTES_DEFAULT),
        Some(text) => {
            bounded(&text, FILE_BYTES_MIN, FILE_BYTES_MAX, &key.child("file_bytes_max"), problems)
        }
    };
    let compaction = check_compaction(compaction, key, problems);
    check_partitions(&partition_by, format, &key.child("partition_by"), problems);
    let WrittenPlace { written, url } = place?;
    let compaction = compaction?.filter(|_| format == TableFormat::Delta);
    let file_bytes_max = file_bytes_max?;
    Some(TableLocation {
        url,
        written,
        format,
        partition_by,
        file_bytes_max,
        compaction,
        epoch_column,
    })
}
