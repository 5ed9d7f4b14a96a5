//! Where a pipeline's rows go: tables, topics, a terminal.

use std::sync::Arc;
use std::time::Duration;

use super::KafkaSinkConfig;
use sluicegate_model::partition::PartitionBy;

/// An output with the name under which the chain knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkConfig {
    /// Stable: it names the table in the chain.
    pub id: Arc<str>,
    /// What the rows become there.
    pub kind: SinkKind,
    /// Whether its readers take of each key and window the rows with the highest `revision`.
    pub corrections: bool,
}

/// What rows become: files, messages or a printed table.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkKind {
    /// A table of Parquet files: window results, or without a window the rows themselves.
    Table(TableLocation),
    /// A topic of JSON objects.
    Kafka(KafkaSinkConfig),
    /// An aligned table of changed groups on standard output.
    Console {
        /// Least time between two prints, as the file says or by default.
        every: Duration,
        /// At most this many rows each time.
        rows: usize,
    },
}

/// What readers find in the folder of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Parquet files.
    Parquet,
    /// Parquet files, and a log that says which of them are the table.
    Delta,
}

impl TableFormat {
    /// As pipeline files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Delta => "delta",
        }
    }
}

/// A table in an object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableLocation {
    /// An absolute path or a URL (`s3://bucket/prefix`, `gs://…`, `az://…`).
    pub url: String,
    /// The same as it stands in the pipeline file.
    pub written: String,
    /// What readers find there.
    pub format: TableFormat,
    /// Columns of which each file has one value, in the order of its folders. Date and hour are those of the event time
    /// (window start for results).
    pub partition_by: Vec<PartitionBy>,
    /// A file is closed when it has about this many bytes.
    pub file_bytes_max: u64,
    /// When its small files become larger ones; none: never, as in a plain folder.
    pub compaction: Option<CompactionConfig>,
    /// Rows have a column with the epoch that made them.
    pub epoch_column: bool,
}

impl TableLocation {
    /// The columns that come of the times of rows, and not of their columns.
    pub fn time_columns(&self) -> impl Iterator<Item = &str> {
        self.partition_by.iter().filter(|by| by.column().is_none()).map(PartitionBy::name)
    }
}

/// When small files of a Delta table become larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionConfig {
    /// So many files of like size become one.
    pub after_files: usize,
    /// They are put together until they have about so many bytes.
    pub file_bytes: u64,
}
