//! Sinks that are tables: of type `parquet` and `delta`.

use crate::check::Context;
use crate::check::table::{WrittenTable, check_table};
use crate::document::Key;
use crate::problem::Problems;
use crate::raw::{RawDeltaSink, RawParquetSink};
use crate::{SinkKind, TableFormat};

/// A plain folder, and whether its readers take corrections.
pub(super) fn check(
    raw: RawParquetSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> (Option<SinkKind>, bool) {
    let RawParquetSink { id: _, path, partition_by, file_bytes_max, corrections } = raw;
    let table = WrittenTable { format: TableFormat::Parquet, partition_by, file_bytes_max };
    (check_sink(path, table, key, context, problems), corrections.is_some())
}

/// A table with a log, and whether its readers take corrections.
pub(super) fn check_delta(
    raw: RawDeltaSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> (Option<SinkKind>, bool) {
    let RawDeltaSink { id: _, path, partition_by, file_bytes_max, corrections } = raw;
    let table = WrittenTable { format: TableFormat::Delta, partition_by, file_bytes_max };
    (check_sink(path, table, key, context, problems), corrections.is_some())
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
