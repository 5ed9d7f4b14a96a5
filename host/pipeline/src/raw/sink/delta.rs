//! A sink of type `delta` as it was written.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::json;

use super::{RawCorrections, SinkId};
use crate::size::SizeText;

/// A Delta table: its readers see the rows of whole commits, and nothing of what a crash left behind.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct RawDeltaSink {
    pub(crate) id: SinkId,
    /// The folder of the table. A path (relative to the folder of this file) or a URL:
    /// `file://…`, `s3://…`, `gs://…`, `az://…`. It is made with the first start. No other table may lie in it or around it.
    #[schemars(required, example = &"s3://bucket/revenue")]
    pub(crate) path: Option<String>,
    /// By which columns the table is partitioned, in the order of its folders: a reader that asks for some of their values
    /// passes over the other files. `date` is a column of its own: the day (UTC) of the event time, or of the window's start.
    /// So is `hour`, the hour of that day, 0 to 23; `"hour"` alone stands for `["date", "hour"]`. Any other name is that of a
    /// column of the rows, neither a float nor binary; an empty text becomes null there. Each value makes a file at each
    /// commit, so choose columns of few values. Default: none.
    #[serde(default)]
    #[schemars(example = json!(["date", "store"]))]
    pub(crate) partition_by: Option<RawPartitions>,
    /// A file is closed when it has about this size, and in any case at a checkpoint. Default
    /// `"128MiB"`: large enough for readers, small enough to be kept in memory while it is written.
    #[serde(default)]
    #[schemars(example = &"128MiB", extend("default" = "128MiB"))]
    pub(crate) file_bytes_max: Option<SizeText>,
    /// So many files of like size in one partition become one, while the pipeline runs; 0: none ever does. Rows stay what
    /// they are. Default 50: every checkpoint makes a file, and a table of many small files is slow to read.
    #[serde(default)]
    #[schemars(example = 50, extend("default" = 50))]
    pub(crate) compact_after_files: Option<u64>,
    /// Files are put together until they have about this size. Twice as much memory is used meanwhile, by one table at a
    /// time. Default `"128MiB"`.
    #[serde(default)]
    #[schemars(example = &"128MiB", extend("default" = "128MiB"))]
    pub(crate) compact_file_bytes: Option<SizeText>,
    /// `true`: each row has a last column `_epoch`, the number of the commit that made it. It grows with time, so a reader
    /// finds what is new by it; rows from before it was asked for have null there. Default `false`.
    #[serde(default)]
    #[schemars(example = true, extend("default" = false))]
    pub(crate) epoch_column: Option<bool>,
    /// `"append"` says that readers of the table take corrections. Each result has a column
    /// `revision` then; of the rows of a key and window those with the highest `revision` count. Needed with
    /// `window.allowed_lateness` and with global windows. Default: none; every result stands for good.
    #[serde(default)]
    #[schemars(example = &"append")]
    pub(crate) corrections: Option<RawCorrections>,
}

/// `"date"`, `"hour"`, or names of columns.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawPartitions {
    One(String),
    Columns(Vec<String>),
}

impl JsonSchema for RawPartitions {
    fn schema_name() -> Cow<'static, str> {
        "Partitions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "title": "date or columns",
            "type": ["string", "array"],
            "items": { "type": "string" },
        })
    }
}
