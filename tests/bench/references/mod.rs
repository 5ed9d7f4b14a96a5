//! What the job is compared with: the least that others do with the same bytes.

mod arrow_json;
mod drain;
mod direct;
mod duckdb;

use serde::{Deserialize, Serialize};

pub(crate) use arrow_json::arrow_json;
pub(crate) use direct::drain_direct;
pub(crate) use drain::drain;
pub(crate) use duckdb::duckdb;

/// What a reference used.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reference {
    pub(crate) cpu_nanos: u64,
    pub(crate) records: u64,
}

/// Rows of a batch: as many as the job gives to a call.
const BATCH_ROWS: usize = 8_192;
