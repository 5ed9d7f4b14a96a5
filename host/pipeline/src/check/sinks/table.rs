//! Sinks that are tables: of type `parquet` and `delta`.

use crate::check::Context;
use crate::check::table::{WrittenCompaction, WrittenTable, check_table};
use crate::document::Key;
use crate::problem::Problems;
use crate::raw::{RawDeltaSink, RawParquetSink, RawPartitionBy, RawPartitions};
use crate::{SinkKind, TableFormat};
use sluicegate_model::partition::PartitionBy;
use sluicegate_model::schema::{DATE_COLUMN, HOUR_COLUMN};

/// A plain folder, and whether its readers take corrections.
pub(super) fn check(
    raw: RawParquetSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> (Option<SinkKind>, bool) {
    let RawParquetSink { id: _, path, partition_by, file_bytes_max, corrections } = raw;
    let table = WrittenTable::plain(TableFormat::Parquet, partition_by, file_bytes_max);
    (check_sink(path, table, key, context, problems), corrections.is_some())
}

/// A table with a log, and whether its readers take corrections.
pub(super) fn check_delta(
    raw: RawDeltaSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> (Option<SinkKind>, bool) {
    let RawDeltaSink { id: _, path, partition_by, file_bytes_max, corrections, .. } = raw;
    let compaction = WrittenCompaction {
        after_files: raw.compact_after_files,
        file_bytes: raw.compact_file_bytes,
    };
    let format = TableFormat::Delta;
    let epoch_column = raw.epoch_column.unwrap_or(false);
    let partition_by = partitions(partition_by, &key.child("partition_by"), problems);
    let table = WrittenTable { format, partition_by, file_bytes_max, compaction, epoch_column };
    (check_sink(path, table, key, context, problems), corrections.is_some())
}

fn partitions(
    written: Option<RawPartitions>,
    key: &Key,
    problems: &mut Problems<'_>,
) -> Vec<PartitionBy> {
    let names = match written {
        None => return Vec::new(),
        Some(RawPartitions::One(name)) if name == DATE_COLUMN => {
            return RawPartitionBy::Date.columns();
        }
        Some(RawPartitions::One(name)) if name == HOUR_COLUMN => {
            return RawPartitionBy::Hour.columns();
        }
        Some(RawPartitions::One(name)) => {
            let fix = format!(
                "\"{name}\" is neither \"date\" nor \"hour\": write [\"{name}\"] for a column of the rows"
            );
            problems.refuse(key, fix);
            return Vec::new();
        }
        Some(RawPartitions::Columns(names)) => names,
    };
    let by: Vec<PartitionBy> = names.into_iter().map(PartitionBy::of).collect();
    if by.contains(&PartitionBy::Hour) && !by.contains(&PartitionBy::Date) {
        let fix = "the same hour of all days would lie together: write \"date\" before \"hour\"";
        problems.refuse(key, fix);
    }
    by
}

fn check_sink(
    path: Option<String>,
    table: WrittenTable,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> Option<SinkKind> {
    let Some(path) = path else {
        let fix = "missing; write the folder of the table, for example \"data/revenue\" or \"s3://bucket/revenue\"";
        problems.refuse(&key.child("path"), fix);
        return None;
    };
    check_table(&path, table, key, context.folder, problems).map(SinkKind::Table)
}
