//! A partition that has records and brings none: since when, and the sentence that says so. Never silence.

use std::time::Duration;

use sluicegate_model::position::Partition;

/// Transactions are usually shorter (the broker ends them after a minute by default): who waits longer should know.
const TRANSACTION_PATIENCE: Duration = Duration::from_secs(60);

/// A bounded run may have nothing else to wait for: a person at a terminal wants to know soon.
const BOUNDED_PATIENCE: Duration = Duration::from_secs(2);

/// Fetching takes no longer, even when leaders change.
const FETCH_PATIENCE: Duration = Duration::from_secs(30);

/// An answer that is too large is sent again and again, and breaks the connection each time. Not sent for so long, it is
/// no trouble any more.
const TOO_LARGE_AGAIN: Duration = Duration::from_secs(60);

/// What librdkafka says of an answer that is larger than it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TooLarge {
    /// Monotonic time at which it was said last.
    pub(super) at: Duration,
    pub(super) words: String,
}

/// Bytes.
struct AnswerSizes {
    answer: u64,
    /// Of the largest that is taken.
    most: u64,
}

impl TooLarge {
    /// Whether these are such words.
    pub(super) fn says(words: &str) -> bool {
        words.contains("receive.message.max.bytes")
    }

    /// As the words have them: `Invalid response size 2000123 (0..1000000): increase …`.
    fn sizes(&self) -> Option<AnswerSizes> {
        let (answer, most) = self.words.split_once(" size ")?.1.split_once(" (0..")?;
        let most = most.split_once(')')?.0.parse().ok()?;
        Some(AnswerSizes { answer: answer.parse().ok()?, most })
    }
}

/// How long reading has stood at one offset though the log goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standstill {
    since: Option<Duration>,
    offset: i64,
}

/// What is known of a partition that stands.
pub(super) struct Standing<'a> {
    pub(super) partition: &'a Partition,
    pub(super) standstill: Standstill,
    pub(super) end: i64,
    /// librdkafka says that nothing behind the position may be read yet.
    pub(super) is_held_by_transaction: bool,
    /// It is read to an end.
    pub(super) is_bounded: bool,
}

impl Standstill {
    /// Takes note of where reading stands. `has_more`: records lie behind it, and they are wanted.
    pub(super) fn note(&mut self, offset: i64, has_more: bool, now: Duration) {
        if !has_more || offset != self.offset {
            self.since = None;
        }
        self.offset = offset;
        if has_more {
            self.since.get_or_insert(now);
        }
    }

    /// Monotonic time since when; none while it goes on.
    pub(super) fn since(self) -> Option<Duration> {
        self.since
    }
}

impl Standing<'_> {
    /// What to tell a person; none while there is still hope that it is nothing.
    pub(super) fn problem(&self, now: Duration) -> Option<String> {
        let Self { partition, standstill: Standstill { since, offset }, end, .. } = self;
        let stands = now.saturating_sub((*since)?);
        let waiting = end.saturating_sub(*offset);
        if self.is_held_by_transaction {
            let patience = if self.is_bounded { BOUNDED_PATIENCE } else { TRANSACTION_PATIENCE };
            (stands >= patience).then(|| {
                format!(
                    "{partition} waits at offset {offset} for a transaction that is open: {waiting} offsets behind it cannot be \
                     read before its producer, or the broker after `transaction.timeout.ms`, ends it"
                )
            })
        } else {
            (stands >= FETCH_PATIENCE).then(|| {
                format!(
                    "{partition} brings nothing though {waiting} offsets lie behind {offset}: the log filter `kafka=debug` \
                     shows what its broker answers"
                )
            })
        }
    }

    /// What to tell a person when the broker's answers are larger than the client takes; none if it has not stood since
    /// before the last of them, or there was none for long.
    pub(super) fn too_large(&self, answer: &TooLarge, now: Duration) -> Option<String> {
        let Self { partition, standstill: Standstill { since, offset }, .. } = self;
        let is_lasting = (*since)? <= answer.at && now.saturating_sub(answer.at) < TOO_LARGE_AGAIN;
        let sizes = match answer.sizes() {
            Some(AnswerSizes { answer, most }) => {
                format!(
                    "the answer with it has {answer} bytes, and the client takes {most}; write a larger"
                )
            }
            None => format!("{}; write a larger", answer.words),
        };
        let (number, next) = (partition.number, offset.saturating_add(1));
        is_lasting.then(|| {
            format!(
                "{partition} cannot be read at offset {offset}, because the record there is larger than the client receives: \
                 {sizes} `source.kafka.properties.\"receive.message.max.bytes\"`, or leave the record out with \
                 `sluicegate positions FILE --set {number}={next}`"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn problem(standstill: Standstill, is_held: bool, now: u32) -> Option<String> {
        let partition = Partition { stream: Arc::from("sales"), number: 2 };
        let end = 27;
        let is_held_by_transaction = is_held;
        Standing {
            partition: &partition,
            standstill,
            end,
            is_held_by_transaction,
            is_bounded: false,
        }
        .problem(now * SECOND)
    }

    #[test]
    fn who_stands_too_long_is_named_with_the_offset() {
        let mut stands = Standstill::default();
        stands.note(17, true, 10 * SECOND);
        stands.note(17, true, 39 * SECOND);
        assert_eq!(problem(stands, false, 39), None);
        let sentence = problem(stands, false, 40).unwrap();
        assert!(sentence.starts_with("sales/2 brings nothing though 10 offsets lie behind 17"));
        assert_eq!(problem(stands, true, 69), None);
        let sentence = problem(stands, true, 70).unwrap();
        assert!(sentence.starts_with("sales/2 waits at offset 17 for a transaction"), "{sentence}");
    }

    #[test]
    fn a_bounded_run_says_soon_what_it_waits_for() {
        let mut stands = Standstill::default();
        stands.note(17, true, 10 * SECOND);
        let partition = Partition { stream: Arc::from("sales"), number: 2 };
        let standing = Standing {
            partition: &partition,
            standstill: stands,
            end: 27,
            is_held_by_transaction: true,
            is_bounded: true,
        };
        assert_eq!(standing.problem(11 * SECOND), None, "most transactions are short");
        let sentence = standing.problem(12 * SECOND).unwrap();
        assert!(sentence.starts_with("sales/2 waits at offset 17 for a transaction"), "{sentence}");
    }

    #[test]
    fn an_answer_that_is_too_large_is_blamed_where_it_was_sent_again_while_reading_stood() {
        let mut stands = Standstill::default();
        stands.note(17, true, 10 * SECOND);
        let partition = Partition { stream: Arc::from("sales"), number: 2 };
        let standing = Standing {
            partition: &partition,
            standstill: stands,
            end: 27,
            is_held_by_transaction: false,
            is_bounded: false,
        };
        let said = |at: u32| {
            let words = "Receive failed: Invalid response size 2000123 (0..1000000): increase receive.message.max.bytes";
            TooLarge { at: at * SECOND, words: words.to_owned() }
        };
        assert_eq!(standing.too_large(&said(9), 11 * SECOND), None, "it has gone on since");
        assert_eq!(
            standing.too_large(&said(12), 90 * SECOND),
            None,
            "it was not sent again for long"
        );
        let sentence = standing.too_large(&said(12), 13 * SECOND).unwrap();
        let sizes =
            "the answer with it has 2000123 bytes, and the client takes 1000000; write a larger";
        for part in ["sales/2 cannot be read at offset 17", sizes, "positions FILE --set 2=18"] {
            assert!(sentence.contains(part), "{sentence}");
        }
    }

    #[test]
    fn who_moves_or_has_read_all_does_not_stand() {
        let mut stands = Standstill::default();
        stands.note(17, true, 10 * SECOND);
        stands.note(18, true, 50 * SECOND);
        assert_eq!(problem(stands, false, 60), None);
        stands.note(18, false, 60 * SECOND);
        assert_eq!(stands.since(), None);
        stands.note(18, true, 200 * SECOND);
        assert_eq!(problem(stands, false, 201), None);
    }
}
