//! Rows → Parquet files of the epoch. What is written here is decided by the chain
//! ([`sluicegate_chain`]): a file exists for readers when a chain record names it.

pub mod tables;
mod columns;
mod encode;
mod periods;
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
use sluicegate_model::partition::PartitionBy;

pub use columns::Spread;
pub use tables::{SinkError, Tables};

/// A table that a lane writes: a directory of Parquet files in an object store.
#[derive(Clone, Debug)]
pub struct Table {
    /// The sink's id in the pipeline file; `late` and `dead_letters` for those.
    pub id: Arc<str>,
    /// The columns of its rows. Date and hour are none of them: they come of the event time.
    pub schema: SchemaRef,
    /// The columns that its files do not hold: each file has one value in each, which its record tells, and its folders.
    pub partition_by: Vec<PartitionBy>,
    /// The timestamp column (µs, no nulls) that is the event time of a row, for tables whose rows come without one
    /// beside them ([`Tables::write`]). Window start for results.
    pub event_time_column: Option<String>,
    /// A file is closed when it has about this many bytes.
    pub file_bytes_max: u64,
    /// Its columns as records are to tell them, for a table with a log: then its files carry statistics. None: a plain folder.
    pub shape: Option<Arc<TableShape>>,
}
