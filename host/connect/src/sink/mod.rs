//! Rows → Parquet files of the epoch. What is written here is decided by the chain
//! ([`sluicegate_chain`]): a file exists for readers when a chain record names it.

pub mod tables;
mod columns;
mod encode;
mod days;
mod partitions;
pub mod dead_letters;
pub mod letter;
pub mod late;
pub mod read;
pub mod look_back;
pub mod kept;
pub mod whole;
pub mod found;
mod ranges;
#[cfg(test)]
mod letter_tests;
#[cfg(test)]
mod look_back_tests;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use sluicegate_chain::shape::TableShape;

pub use columns::Spread;
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
    /// Columns of the rows that its files do not hold: each file has one value of them, which its record tells.
    pub partition_columns: Vec<String>,
    /// The timestamp column (µs, no nulls) that is the event time of a row, for tables whose rows come without one
    /// beside them ([`Tables::write`]). Window start for results.
    pub event_time_column: Option<String>,
    /// A file is closed when it has about this many bytes.
    pub file_bytes_max: u64,
    /// Its columns as records are to tell them, for a table with a log: then its files carry statistics. None: a plain folder.
    pub shape: Option<Arc<TableShape>>,
}
