//! What is made of bytes that cannot be read, and of a partition that brings nothing.
//!
//! Another client is let in only where it reads what is there or says that it cannot. librdkafka passes over batches and records
//! whose offsets go back, takes a batch that holds fewer records than it says, or that is packed only by half, for all of it,
//! and asks for one with an impossible length for ever.

use sluicegate_fetch::Trouble;
use sluicegate_fetch::fault::{Damage, Fault};

use crate::source::kafka::errors::{ErrorVerdict, PartitionError, words_of};

/// Of a partition that brings nothing.
pub(super) fn of_trouble(trouble: Trouble) -> PartitionError {
    match trouble {
        Trouble::OutOfRange { offset } => PartitionError {
            offset,
            verdict: ErrorVerdict::PositionLost,
            words: "the offset is out of range".to_owned(),
        },
        Trouble::Truncated { offset, agrees_to } => PartitionError {
            offset,
            verdict: ErrorVerdict::PositionLost,
            words: format!("the leader has what was read only up to offset {agrees_to}"),
        },
        Trouble::InVain { offset, last } => PartitionError {
            offset,
            verdict: ErrorVerdict::Unreadable,
            words: format!(
                "its broker answers time after time with batches that lie elsewhere, the last of them up to offset {last}"
            ),
        },
        Trouble::Refused(code) => {
            PartitionError { offset: -1, verdict: ErrorVerdict::MayPass, words: words_of(code) }
        }
    }
}

/// Of bytes that cannot be read.
pub(super) fn of_damage(Damage { offset, fault }: Damage) -> PartitionError {
    let error = |verdict, words| PartitionError { offset, verdict, words };
    match fault {
        Fault::Format(version @ 0..=1) => error(
            ErrorVerdict::Unsupported,
            format!(
                "the record at offset {offset} has format {version}, and fetched directly only 2 can be read, which Kafka writes since 0.11"
            ),
        ),
        Fault::TooLarge(_) => error(
            ErrorVerdict::NotUnderstood,
            format!("nothing can be read at offset {offset}: {fault}"),
        ),
        fault => error(ErrorVerdict::Unreadable, fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(fault: Fault) -> ErrorVerdict {
        let error = of_damage(Damage { offset: 17, fault });
        assert_eq!(error.offset, 17);
        error.verdict
    }

    #[test]
    fn another_client_is_let_in_where_it_reads_more() {
        assert_eq!(verdict(Fault::Format(0)), ErrorVerdict::Unsupported);
        assert_eq!(verdict(Fault::Format(1)), ErrorVerdict::Unsupported);
        assert_eq!(verdict(Fault::TooLarge(1)), ErrorVerdict::NotUnderstood);
    }

    #[test]
    fn another_client_is_not_let_in_where_it_would_pass_over_records() {
        let what = "the length of the batch";
        let faults = [
            Fault::CutOff { wanted: 3, left: 2 },
            Fault::Impossible { what, value: -1 },
            Fault::EndlessInteger,
            Fault::Checksum { told: 1, found: 2 },
            Fault::Format(3),
            Fault::Format(-1),
            Fault::Compression(7),
            Fault::Packed { method: "gzip", reason: "corrupt".to_owned() },
            Fault::Order { before: 5, found: 3 },
            Fault::Silent(3),
            Fault::Remains(2),
        ];
        for fault in faults {
            assert_eq!(verdict(fault.clone()), ErrorVerdict::Unreadable, "{fault}");
        }
        let error = of_trouble(Trouble::InVain { offset: 17, last: 3 });
        assert_eq!((error.offset, error.verdict), (17, ErrorVerdict::Unreadable));
    }
}
