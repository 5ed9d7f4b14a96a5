//! `[source.files]`, checked.

use std::time::Duration;

/// Where NDJSON files lie, and how they are read.
#[derive(Clone, Debug, PartialEq)]
pub struct FilesConfig {
    /// A file, a folder (all files below it that end in `.json`, `.ndjson` or `.jsonl`) or such an object-store URL.
    /// Absolute.
    pub path: String,
    /// The same as it stands in the pipeline file: the streams of partitions begin with it, so that pipeline and files
    /// may move together.
    pub name: String,
    /// Look for new files at this interval; none: read what is there and end.
    pub watch: Option<Duration>,
    /// Which files make a partition, and when each holds the watermark.
    pub order: FileOrder,
    /// A watched file that was read to its end and has not grown for so long is finished.
    pub finish_after: Duration,
}

/// Which files make a partition, and when each holds the watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOrder {
    /// Each is one, begun in the order of their names. Those that wait do not hold the watermark.
    Parallel,
    /// Each is one, and all hold the watermark from the start.
    Unordered,
    /// The whole set is one partition, in the order of names.
    Sequential,
}
