//! What a poll may still take, whichever way its records come, and how long it goes on collecting.

use std::time::Duration;

use sluicegate_fetch::Waiting;

use crate::source::PollLimits;

/// As much as this part of what a poll may take is little: a turn over it costs about what every turn costs.
const LITTLE: usize = 8;

/// Nobody waits longer for little than this. Ten turns a second cost next to nothing, and whoever commands the lane meanwhile is
/// heard so much later.
const LINGER_MAX: Duration = Duration::from_millis(100);

/// What a poll may still take.
pub(super) struct Room {
    records: usize,
    bytes: usize,
}

/// How a poll goes on collecting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Linger {
    /// Monotonic time.
    pub(super) until: Duration,
    /// Is not waited for any longer.
    pub(super) enough: Waiting,
}

impl Room {
    /// Nothing was taken yet.
    pub(super) fn of(limits: &PollLimits) -> Self {
        Self { records: limits.records, bytes: limits.bytes }
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }

    pub(super) fn is_full(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }

    /// A record was taken.
    #[inline]
    pub(super) fn take(&mut self, bytes: usize) {
        self.records -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn is_untouched(&self, limits: &PollLimits) -> bool {
        self.records == limits.records
    }

    /// How to go on after what was taken, the first of it at `first`. Of little nobody is woken, and if nobody sees yet what
    /// becomes of it, more is collected. Whatever is more than that is taken as it comes.
    pub(super) fn linger(&self, limits: &PollLimits, first: Duration) -> Linger {
        let until = first + limits.linger;
        let (records, bytes) = (limits.records - self.records, limits.bytes - self.bytes);
        let left = |limit: usize, taken: usize| (limit / LITTLE).saturating_sub(taken);
        let enough =
            Waiting { records: left(limits.records, records), bytes: left(limits.bytes, bytes) };
        if enough.records == 0 || enough.bytes == 0 {
            return Linger { until, enough: Waiting::ANYTHING };
        }
        let until = until.max(limits.unseen_until.min(first + LINGER_MAX));
        Linger { until, enough }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn limits(unseen_until: Duration) -> PollLimits {
        PollLimits { records: 800, bytes: 8_000, wait: MS, linger: 5 * MS, unseen_until }
    }

    fn after(limits: &PollLimits, records: usize, bytes: usize) -> Linger {
        let mut room = Room::of(limits);
        (0..records).for_each(|_| room.take(bytes));
        room.linger(limits, 100 * MS)
    }

    #[test]
    fn little_is_collected_until_somebody_sees_it_and_nobody_is_woken_before() {
        let enough = Waiting { records: 99, bytes: 990 };
        let until = |unseen| after(&limits(unseen * MS), 1, 10);
        assert_eq!(until(130), Linger { until: 130 * MS, enough });
        assert_eq!(until(10), Linger { until: 105 * MS, enough }, "somebody looks all the time");
        assert_eq!(until(900), Linger { until: 200 * MS, enough }, "nobody looks");
    }

    #[test]
    fn what_is_more_than_little_is_taken_as_it_comes() {
        let busy = Linger { until: 105 * MS, enough: Waiting::ANYTHING };
        assert_eq!(after(&limits(900 * MS), 100, 1), busy);
        assert_eq!(after(&limits(900 * MS), 1, 1_000), busy);
        // As a module is tried on one record, before it is given more.
        let single = PollLimits { records: 1, ..limits(900 * MS) };
        assert_eq!(after(&single, 0, 0), busy);
    }
}
