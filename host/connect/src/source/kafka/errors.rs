//! What a partition says instead of a record, and what that means for the source.

use rdkafka::types::RDKafkaErrorCode;

/// An error of one partition.
#[derive(Debug)]
pub(super) struct PartitionError {
    pub(super) offset: i64,
    pub(super) code: RDKafkaErrorCode,
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
    /// The topic was deleted, may not be read, has no leader: all of that can be mended from outside.
    MayPass,
}

impl PartitionError {
    pub(super) fn verdict(&self) -> ErrorVerdict {
        use RDKafkaErrorCode as Code;
        match self.code {
            Code::PartitionEOF => ErrorVerdict::CaughtUp,
            Code::OffsetOutOfRange | Code::AutoOffsetReset | Code::LogTruncation => {
                ErrorVerdict::PositionLost
            }
            Code::BadMessage
            | Code::BadCompression
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::MessageSizeTooLarge
            | Code::NotImplemented
            | Code::Fatal => ErrorVerdict::Unreadable,
            _ => ErrorVerdict::MayPass,
        }
    }
}
