//! A position that does not exist: what became of the records, and how to go on. Pure.

use std::time::Duration;

use super::errors::PartitionError;
use sluicegate_model::position::Partition;
use sluicegate_pipeline::OnDataLoss;

/// How a person goes on from a loss.
const WAYS_ON: &str = "to go on, look where the topic stands and move the position with `sluicegate positions FILE --set \
                       PARTITION=OFFSET`, set `source.kafka.on_data_loss = \"earliest\"`, or begin from scratch with `sluicegate reset`";

/// The same where it is another topic.
const WAYS_ON_ELSEWHERE: &str = "to go on, set `source.kafka.on_data_loss = \"earliest\"` and it is read from its beginning, say with `sluicegate positions \
     FILE --accept-topic` that the positions hold in it, or begin from scratch with `sluicegate reset`";

/// A partition that said that its position does not exist.
pub(super) struct Lost {
    pub(super) number: i32,
    pub(super) error: PartitionError,
    /// When it was noticed: what became of the topic is known by a look that began later.
    pub(super) at: Duration,
}

/// A position that the broker does not know.
pub(super) struct Loss<'a> {
    pub(super) partition: &'a Partition,
    /// The record that was to be read next.
    pub(super) position: i64,
    /// Nothing of the topic was read before, and the start was not named by offset.
    pub(super) is_first_start: bool,
    pub(super) error: &'a PartitionError,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settlement {
    /// Nobody can decide it but a person: the sentence says what is the matter and how to go on.
    Halt(String),
    /// Reading goes on at `to`, and the chain says so.
    Jump { to: i64, reason: String },
    /// Nothing was read yet, so nothing is lost: it begins at `to`.
    BeginAt(i64),
}

impl Loss<'_> {
    /// Decides. The partition has the offsets `low` to `high`.
    pub(super) fn settle(&self, low: i64, high: i64, policy: OnDataLoss) -> Settlement {
        let Self { partition, position, .. } = self;
        let (to, what) = if *position < low {
            if self.is_first_start {
                return Settlement::BeginAt(low);
            }
            (
                Some(low),
                format!("it begins at {low} now, records were deleted before they were read"),
            )
        } else if *position > high {
            // What lies before the end was read, as far as anybody can tell.
            (Some(high), format!("it ends at {high} now, records that were read are gone from it"))
        } else {
            // Where the logs parted is not known: to go on anywhere would skip or repeat.
            (None, format!("its log was cut off and written again ({})", self.error.words))
        };
        match (to, policy) {
            (Some(to), OnDataLoss::Earliest) => Settlement::Jump { to, reason: what },
            _ => Settlement::Halt(format!(
                "the position {position} in {partition} is lost: {what}; {WAYS_ON}"
            )),
        }
    }
}

/// The sentence for a topic that is another one than that of the positions.
pub(super) fn another_topic(topic: &str, contradiction: &str) -> String {
    format!(
        "topic `{topic}` is not the one that was read up to here: {contradiction}; {WAYS_ON_ELSEWHERE}"
    )
}

/// The sentence for a topic that has fewer partitions than positions.
pub(super) fn fewer_partitions(topic: &str, known: usize, count: i32) -> String {
    format!(
        "topic `{topic}` has only {count} partitions and had {known}: it was created again; begin from scratch as well with `sluicegate \
         reset`, or create the topic as it was"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::errors::ErrorVerdict;
    use super::*;

    fn settle(position: i64, is_first_start: bool, policy: OnDataLoss) -> Settlement {
        let partition = Partition { stream: Arc::from("sales"), number: 1 };
        let words = "log truncation".to_owned();
        let error = PartitionError { offset: -1, verdict: ErrorVerdict::PositionLost, words };
        let loss = Loss { partition: &partition, position, is_first_start, error: &error };
        loss.settle(20, 40, policy)
    }

    #[test]
    fn a_lost_position_halts_in_one_sentence_with_the_ways_on() {
        for (position, why) in [(10, "begins at 20"), (50, "ends at 40"), (30, "log truncation")] {
            let Settlement::Halt(sentence) = settle(position, false, OnDataLoss::Halt) else {
                panic!("{position} does not halt");
            };
            assert!(sentence.starts_with(&format!("the position {position} in sales/1 is lost")));
            assert!(sentence.contains(why) && sentence.contains("--set"), "{sentence}");
        }
    }

    #[test]
    fn who_wants_to_go_on_goes_on_at_the_earliest_record_that_was_not_read() {
        let to = |position| match settle(position, false, OnDataLoss::Earliest) {
            Settlement::Jump { to, .. } => Some(to),
            _ => None,
        };
        assert_eq!(to(10), Some(20));
        assert_eq!(to(50), Some(40));
        assert_eq!(to(30), None, "where the logs parted is not known");
    }

    #[test]
    fn a_first_start_whose_beginning_has_moved_begins_there() {
        assert_eq!(settle(10, true, OnDataLoss::Halt), Settlement::BeginAt(20));
        assert!(matches!(settle(50, true, OnDataLoss::Halt), Settlement::Halt(_)));
    }
}
