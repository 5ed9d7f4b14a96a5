//! Open windows, or the keys of a process plugin, as they stand.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Answer of `GET /v1/pipelines/{pipeline}/windows`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Windows {
    /// `name` of the pipeline file.
    pub pipeline: String,
    /// The epoch that these rows would be part of. Nothing of them is committed.
    pub uncommitted_epoch: u64,
    /// RFC 3339; none before the first event and after the last.
    pub watermark: Option<String>,
    /// The key, then what the module makes of the group now, then the bounds of its window. Of the keys of a process plugin:
    /// the key, `state_bytes`, `timers` and `next_timer`.
    pub columns: Vec<WindowColumn>,
    /// How many of them, from the first, are the key.
    pub key_columns: usize,
    /// A row for each group, by window and key: a value for each column.
    pub rows: Vec<Vec<Value>>,
    /// Groups, or keys, that there are.
    pub groups: u64,
    /// Those that were not looked at, for want of room or time.
    pub rows_left_out: u64,
}

/// A column of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WindowColumn {
    /// The column's name, as in the table of results.
    pub name: String,
    /// Its type as pipeline files have it.
    #[serde(rename = "type")]
    pub data_type: String,
}
