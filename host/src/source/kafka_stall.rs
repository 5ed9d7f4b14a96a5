//! A partition that has records and brings none: since when, and the sentence that says so. Never silence.

use std::time::Duration;

use super::Partition;

/// Transactions are usually shorter (the broker ends them after a minute by default): who waits longer should know.
const TRANSACTION_PATIENCE: Duration = Duration::from_secs(60);

/// Fetching takes no longer, even when leaders change.
const FETCH_PATIENCE: Duration = Duration::from_secs(30);

/// How long reading has stood at one offset though the log goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standstill {
    since: Option<Duration>,
    /// Where it stands.
    offset: i64,
}

/// What is known of a partition that stands.
pub(super) struct Standing<'a> {
    pub(super) partition: &'a Partition,
    pub(super) standstill: Standstill,
    /// The high watermark.
    pub(super) end: i64,
    /// librdkafka says that nothing behind the position may be read yet.
    pub(super) is_held_by_transaction: bool,
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
        let waiting = end - offset;
        if self.is_held_by_transaction {
            (stands >= TRANSACTION_PATIENCE).then(|| {
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

    /// What to tell a person when the broker's answers are larger than the client takes.
    pub(super) fn too_large(&self, words: &str) -> String {
        let Self { partition, standstill, .. } = self;
        format!(
            "{partition} cannot be read at offset {}: the record there is larger than the client receives; raise \
             `source.kafka.properties.\"receive.message.max.bytes\"` ({words})",
            standstill.offset
        )
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
        Standing { partition: &partition, standstill, end, is_held_by_transaction: is_held }
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
