//! Late rows: what came after its windows.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Answer of `GET /v1/pipelines/{pipeline}/late-rows`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LateRows {
    /// `name` of the pipeline file.
    pub pipeline: String,
    /// The folder of their table of Parquet files; none if the pipeline keeps none.
    pub table: Option<String>,
    /// What a reader must know of this answer: that none are kept, or that files could not be read.
    pub note: Option<String>,
    /// The columns of the rows as they stood before the windows.
    pub columns: Vec<String>,
    /// Newest first: those that are not committed, then those of the table.
    pub rows: Vec<LateRow>,
    /// The value of `before` with which the next request goes on; none if there are no older ones. It may be there without any
    /// row, when a request has looked at as much as it may.
    pub older: Option<String>,
    /// Late rows that are not committed and are not kept to be shown. They are in the table when their epoch is.
    pub left_out: u64,
}

/// A row that came after all its windows, as it stood before them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LateRow {
    /// Of each column, in the order of `columns`; null if an earlier version had no such column.
    pub values: Vec<Value>,
    /// Of the first window that it missed, RFC 3339.
    pub window_start: Option<String>,
    /// Where that window ended, RFC 3339.
    pub window_end: Option<String>,
    /// The watermark that judged it, RFC 3339.
    pub watermark: Option<String>,
    /// How late it was, in words.
    pub late_reason: Option<String>,
    /// The epoch that it is part of.
    pub epoch: u64,
    /// Whether that epoch is committed. If not, a failure of the host makes it once more.
    pub committed: bool,
}
