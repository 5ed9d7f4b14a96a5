//! A sink of type `parquet`.

use crate::SinkKind;
use crate::check::Context;
use crate::check::table::check_table;
use crate::document::Key;
use crate::problem::Problems;
use crate::raw::RawParquetSink;

/// The table, and whether its readers take corrections.
pub(super) fn check(
    raw: RawParquetSink,
    key: &Key,
    context: Context<'_>,
    problems: &mut Problems<'_>,
) -> (Option<SinkKind>, bool) {
    let RawParquetSink { id: _, path, partition_by, file_bytes_max, corrections } = raw;
    let corrections = corrections.is_some();
    let Some(path) = path else {
        let fix = "missing; write the folder of the table, for example \"data/revenue\" or \"s3://bucket/revenue\"";
        problems.refuse(&key.child("path"), fix);
        return (None, corrections);
    };
    let table = check_table(&path, (partition_by, file_bytes_max), key, context.folder, problems);
    (table.map(SinkKind::Parquet), corrections)
}
