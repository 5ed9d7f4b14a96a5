//! Rows → Parquet files of the epoch, and the console. What is written here is decided by the chain
//! ([`crate::chain`]): a file exists for readers when a chain record names it.

pub mod tables;
mod encode;
mod days;
pub mod dead_letters;
pub mod late;
pub mod console;
pub mod json;
pub mod read;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

pub use tables::{SinkError, Tables};

/// A table that a lane writes: a directory of Parquet files in an object store.
#[derive(Clone, Debug)]
pub struct Table {
    /// The sink's id in the pipeline file; `late` and `dead_letters` for those.
    pub id: Arc<str>,
    /// The columns of its files. `date` is none of them: it stands in the path.
    pub schema: SchemaRef,
    /// Files lie in `date=YYYY-MM-DD/` folders, by the day (UTC) of the event time.
    pub partition_by_date: bool,
    /// The timestamp column (µs, no nulls) that is the event time of a row, for tables whose rows come without one
    /// beside them ([`Tables::write`]). Window start for results.
    pub event_time_column: Option<String>,
    /// A file is closed when it has about this many bytes.
    pub file_bytes_max: u64,
}

/// A finished file that is not yet in the store. The bytes are frozen: a retry puts the same ones.
#[derive(Clone, Debug)]
pub struct EncodedFile {
    /// The table's id.
    pub table: Arc<str>,
    /// `date=2026-11-21` or nothing.
    pub folder: Option<String>,
    /// Parquet.
    pub bytes: bytes::Bytes,
    /// Rows in it.
    pub rows: u64,
    /// Smallest and largest event time (window start for results) in it, µs.
    pub event_time_range: Option<(i64, i64)>,
}

/// A committed file as the chain record lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// The table's id.
    pub table: String,
    /// Path below the table's root.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// Of the bytes, hex.
    pub sha256: String,
    /// Rows in it.
    pub rows: u64,
    /// Smallest and largest event time in it, µs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time_range: Option<(i64, i64)>,
    /// Partition values by column, as in the path.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub partition_values: std::collections::BTreeMap<String, String>,
}
