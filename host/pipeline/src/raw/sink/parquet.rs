//! A sink of type `parquet` as it was written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RawCorrections, SinkId};
use crate::raw::RawPartitionBy;
use crate::size::SizeText;

/// A table of Parquet files.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct RawParquetSink {
    pub(crate) id: SinkId,
    /// The folder of the table. A path (relative to the folder of this file) or a URL:
    /// `file://…`, `s3://…`, `gs://…`, `az://…`. No other table may lie in it or around it.
    #[schemars(required, example = &"s3://bucket/revenue")]
    pub(crate) path: Option<String>,
    /// `"date"` puts files into folders `date=YYYY-MM-DD` by the day (UTC) of the event time, or of
    /// the window's start. `"hour"` and columns are for sinks of `type = "delta"`. Default: none.
    #[serde(default)]
    #[schemars(example = &"date")]
    pub(crate) partition_by: Option<RawPartitionBy>,
    /// A file is closed when it has about this size, and in any case at a checkpoint. Default
    /// `"128MiB"`: large enough for readers, small enough to be kept in memory while it is written.
    #[serde(default)]
    #[schemars(example = &"128MiB", extend("default" = "128MiB"))]
    pub(crate) file_bytes_max: Option<SizeText>,
    /// `"append"` says that readers of the table take corrections. Each result has a column
    /// `revision` then; of the rows of a key and window those with the highest revision count. Needed with
    /// `window.allowed_lateness` and with global windows. Default: none; every result stands for good.
    #[serde(default)]
    #[schemars(example = &"append")]
    pub(crate) corrections: Option<RawCorrections>,
}
