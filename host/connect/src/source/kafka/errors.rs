//! What a partition says instead of a record, and what that means for the source.

use rdkafka::types::RDKafkaErrorCode;
use sluicegate_model::position::Partition;

/// An error of one partition.
#[derive(Debug)]
pub(super) struct PartitionError {
    pub(super) offset: i64,
    pub(super) verdict: ErrorVerdict,
    pub(super) words: String,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorVerdict {
    /// No error: every record that was there has been handed on.
    CaughtUp,
    /// The position does not exist any more, or not yet. Never skipped.
    PositionLost,
    /// librdkafka goes on behind a batch that it cannot read, or never gets beyond it: the source must end.
    Unreadable,
    /// More than we take, though nothing says that it is damaged.
    NotUnderstood,
    /// What is there is not read this way, and will not be.
    Unsupported,
    /// The topic was deleted, may not be read, has no leader: all of that can be mended from outside.
    MayPass,
}

impl PartitionError {
    /// Whether it is about bytes of records, which may have been garbled on their way.
    pub(super) fn is_about_bytes(&self) -> bool {
        use ErrorVerdict::{NotUnderstood, Unreadable, Unsupported};
        matches!(self.verdict, Unreadable | NotUnderstood | Unsupported)
    }

    /// Why another client is to read on, if it may understand what is there.
    pub(super) fn at_odds(&self, partition: &Partition) -> Option<String> {
        let is_ours =
            matches!(self.verdict, ErrorVerdict::NotUnderstood | ErrorVerdict::Unsupported);
        is_ours.then(|| format!("{partition} cannot be read directly: {}", self.words))
    }
}

impl ErrorVerdict {
    /// About what librdkafka says.
    pub(super) fn of(code: RDKafkaErrorCode) -> Self {
        use RDKafkaErrorCode as Code;
        match code {
            Code::PartitionEOF => Self::CaughtUp,
            Code::OffsetOutOfRange | Code::AutoOffsetReset | Code::LogTruncation => {
                Self::PositionLost
            }
            Code::BadMessage
            | Code::BadCompression
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::MessageSizeTooLarge
            | Code::NotImplemented
            | Code::Fatal => Self::Unreadable,
            _ => Self::MayPass,
        }
    }
}

/// Those of a broker's numbers that a partition may be refused with and a person can do something about.
const WORDS: [(i16, &str); 5] = [
    (2, "the broker found its own record damaged"),
    (3, "the broker does not know the topic or partition"),
    (29, "reading the topic is not allowed"),
    (100, "the broker does not know a topic with this id"),
    (103, "the broker knows another id for the topic"),
];

/// What a broker says with one of its numbers.
pub(super) fn words_of(code: i16) -> String {
    let known = WORDS.iter().find(|(number, _)| *number == code);
    known.map_or_else(
        || format!("the broker answers with error {code}"),
        |(_, words)| (*words).to_owned(),
    )
}
