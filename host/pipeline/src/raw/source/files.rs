//! `[source.files]` as it was written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::DurationText;

/// Lines of files.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct RawFilesSource {
    /// Files with one JSON object a line.
    #[schemars(required)]
    pub(crate) files: Option<RawFiles>,
}

/// Files with one JSON object a line (NDJSON).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFiles {
    /// A file, or a folder: a path (relative to the folder of this file) or a URL: `s3://…`, `gs://…`, `az://…`.
    /// In a folder every file is read that ends in `.json`, `.jsonl` or `.ndjson`, at any depth, also with `.gz` or
    /// `.zst` behind it. What else lies there is left out, and a warning says so once.
    #[schemars(example = &"s3://bucket/sales/")]
    pub(crate) path: String,
    /// Look for new files, and for what was added to files, this often and never end. A line is read when its line end
    /// is there. Default: none; what is there is read, every window fires, and the run ends. A last line without line
    /// end is read then, too.
    #[serde(default)]
    #[schemars(example = &"10s")]
    pub(crate) watch: Option<DurationText>,
    /// How files are read, and whose time counts. Default `"parallel"`, because it uses every core and keeps only the
    /// windows of a few files open.
    ///
    /// * `"parallel"`: for files whose names sort by time, such as one for each day. Each file is a partition with a
    ///   watermark of its own. Four are read at a time, in the order of names, and those that wait do not hold the
    ///   watermark.
    /// * `"unordered"`: for files that each hold all times. Every file holds the watermark from the start, so no window
    ///   closes before the last file was begun.
    /// * `"sequential"`: for files that are cut from one stream. The whole set is one partition, in the order of names.
    ///   None may be packed.
    #[serde(default = "RawOrder::parallel")]
    #[schemars(example = &"sequential")]
    pub(crate) order: RawOrder,
    /// With `watch`: a file is finished when it was read to its end and has not grown for so long. What is added to it
    /// later is not read. Default `"1h"`: longer than writers pause, and only files that may grow are looked after.
    #[serde(default)]
    #[schemars(example = &"1d", extend("default" = "1h"))]
    pub(crate) finish_after: Option<DurationText>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawOrder {
    Parallel,
    Unordered,
    Sequential,
}

impl RawOrder {
    fn parallel() -> Self {
        Self::Parallel
    }
}
