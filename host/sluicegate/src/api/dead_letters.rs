//! Dead letters: what was refused, and why.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words;

/// Answer of `GET /v1/pipelines/{pipeline}/dead-letters`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeadLetters {
    /// `name` of the pipeline file.
    pub pipeline: String,
    /// The folder of their table of Parquet files; none if the pipeline keeps none.
    pub table: Option<String>,
    /// What a reader must know of this answer: that none are kept, or that files could not be read.
    pub note: Option<String>,
    /// How often each reason was given since the lane was opened, the most frequent first. Reasons that differ only in words
    /// with digits are one.
    pub reasons: Vec<ReasonCount>,
    /// Dead letters since then with other reasons than those.
    pub other_reasons: u64,
    /// Newest first: those that are not committed, then those of the table.
    pub rows: Vec<DeadLetter>,
    /// The value of `before` with which the next request goes on; none if there are no older ones. It may be there without any
    /// row, when a request has looked at as much as it may.
    pub older: Option<String>,
    /// Dead letters that are not committed and are not kept to be shown. They are in the table when their epoch is.
    pub left_out: u64,
}

/// How often a reason was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonCount {
    /// As in the table of dead letters.
    #[schema(value_type = words::DeadLetterKind)]
    pub kind: String,
    /// The stage, `sluicegate` for what happens before the stages, or a sink.
    pub stage: String,
    /// The reason of the first of them; the others differ in words with digits.
    pub reason: String,
    /// Dead letters with it since the lane was opened.
    pub count: u64,
}

/// What could not be processed, where it came from, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// RFC 3339, in the record's time and not the clock's.
    pub at: String,
    /// As in the table of dead letters.
    #[schema(value_type = words::DeadLetterKind)]
    pub kind: String,
    /// The stage, `sluicegate` for what happens before the stages, or a sink.
    pub stage: String,
    /// One sentence for a person: what was wrong.
    pub reason: String,
    /// What the sandbox said of the plugin, if it failed.
    pub trap: Option<String>,
    /// The record, or the accumulator of a group; none if there is no value.
    pub record: Option<Shown>,
    /// The record's key, or the group's.
    pub key: Option<Shown>,
    /// Kafka's; none where there are no such things.
    pub headers: Option<Vec<ShownHeader>>,
    /// How many headers of the record are not shown.
    pub headers_left_out: usize,
    /// Topic or file; none for a group.
    pub stream: Option<String>,
    /// Number of the partition within its topic; null for a group.
    pub partition: Option<i32>,
    /// Kafka's offset, or the byte where the line begins in its file; null for a group.
    pub offset: Option<i64>,
    /// Kafka's, RFC 3339.
    pub record_timestamp: Option<String>,
    /// Of the module, if one was at fault.
    pub digest: Option<String>,
    /// How many rows of the record the stage refused; none if the record itself was.
    pub rows: Option<i64>,
    /// The epoch that it is part of.
    pub epoch: u64,
    /// Whether that epoch is committed. If not, a failure of the host makes it once more.
    pub committed: bool,
}

/// The beginning of some bytes: as text if they are, in hexadecimal digits if not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// The beginning, if that is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The beginning in hexadecimal digits, if it is no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// How many there are in all.
    pub bytes: u64,
    /// Whether this is only the beginning.
    pub cut: bool,
}

/// One of Kafka's headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShownHeader {
    /// The header's key, with control characters escaped.
    pub name: String,
    /// Its value, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its value, if it is no text. A header without a value has neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// How many bytes its value has in all.
    pub bytes: u64,
    /// Whether this is only their beginning.
    pub cut: bool,
}
