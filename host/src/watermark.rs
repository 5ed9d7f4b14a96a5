//! The watermark: per partition the largest event time seen minus a bound, for the lane the minimum over the
//! partitions that count (SEMANTICS.md rules 1 and 3). Pure: time comes in as a parameter.
//!
//! ```text
//!  partition 0   ──●────●──●─────●  max 120   own 120 − 5 = 115 ┐
//!  partition 1   ─●──●──────●       max  96   own  96 − 5 =  91 ┴─► lane 91
//!  partition 2   (caught up, silent)           idle: not counted
//! ```

use std::time::Duration;

use crate::time::{EventTime, Watermark};

/// The clocks of all partitions of a lane, and the lane's own. Owned by the lane; never goes back.
#[derive(Clone, Debug)]
pub struct LaneClock {
    max_out_of_orderness: i64,
    idle_after: Option<Duration>,
    partitions: Vec<PartitionClock>,
    watermark: Watermark,
}

/// What one partition has shown of event time.
#[derive(Clone, Copy, Debug)]
pub struct PartitionClock {
    /// The largest event time seen, µs.
    pub max_event_time: Option<EventTime>,
    /// Caught up and silent: not counted.
    pub idle: bool,
    /// Nothing will ever follow: not counted.
    pub ended: bool,
    /// Monotonic time of the last record, or since when it may be silent.
    active_at: Duration,
}

impl LaneClock {
    /// A clock without partitions. `max_out_of_orderness` in µs, not negative.
    pub fn new(
        max_out_of_orderness: i64,
        idle_after: Option<Duration>,
        watermark: Watermark,
    ) -> Self {
        Self { max_out_of_orderness, idle_after, partitions: Vec::new(), watermark }
    }

    /// Adds a partition behind the ones there are: with what the chain knows of it, or with nothing.
    pub fn add_partition(&mut self, max_event_time: Option<EventTime>, now: Duration) {
        let fresh = PartitionClock { max_event_time, idle: false, ended: false, active_at: now };
        self.partitions.push(fresh);
    }

    /// The partitions in the order they were added.
    pub fn partitions(&self) -> &[PartitionClock] {
        &self.partitions
    }

    /// The lane's watermark.
    pub fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// The watermark of one partition by its own records.
    pub fn own(&self, partition: usize) -> Watermark {
        match self.partitions[partition].max_event_time {
            Some(max) => Watermark::at(self.behind(max)),
            None => Watermark::NONE,
        }
    }

    /// `max` minus the out-of-orderness, saturating at the ends of time.
    #[inline]
    pub fn behind(&self, max: EventTime) -> EventTime {
        EventTime(max.0.saturating_sub(self.max_out_of_orderness))
    }

    /// Records of a partition were seen, the largest event time among them `max`, if any had one.
    pub fn observe(&mut self, partition: usize, max: Option<EventTime>, now: Duration) {
        let clock = &mut self.partitions[partition];
        clock.active_at = now;
        clock.idle = false;
        clock.max_event_time = clock.max_event_time.max(max);
    }

    /// Takes note of what the source says of a partition. Idle needs both: caught up, and silent since then for
    /// `idle_after`; a slow consumer is not an idle partition (FLINK-5479).
    pub fn progress(&mut self, partition: usize, caught_up: bool, ended: bool, now: Duration) {
        let clock = &mut self.partitions[partition];
        clock.ended = ended;
        if !caught_up {
            clock.active_at = now;
            clock.idle = false;
        } else if let Some(idle_after) = self.idle_after {
            clock.idle = now.saturating_sub(clock.active_at) >= idle_after;
        }
    }

    /// Moves the lane's watermark to the minimum over the partitions that count. Stays where it is while one of
    /// them has shown nothing, or while none counts; is [`Watermark::END`] when all have ended.
    pub fn advance(&mut self) -> Watermark {
        if !self.partitions.is_empty() && self.partitions.iter().all(|clock| clock.ended) {
            self.watermark = Watermark::END;
            return self.watermark;
        }
        let counted = self.partitions.iter().filter(|clock| !clock.idle && !clock.ended);
        // `None < At`: a partition without an event holds the minimum at none.
        let minimum = counted.map(|clock| clock.max_event_time).min().flatten();
        if let Some(minimum) = minimum {
            self.watermark = self.watermark.max(Watermark::at(self.behind(minimum)));
        }
        self.watermark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn clock(partitions: usize) -> LaneClock {
        let mut clock = LaneClock::new(5, Some(10 * SECOND), Watermark::NONE);
        for _ in 0..partitions {
            clock.add_partition(None, Duration::ZERO);
        }
        clock
    }

    #[test]
    fn rule_1_the_lane_is_the_minimum_and_waits_for_every_partition() {
        let mut clock = clock(2);
        clock.observe(0, Some(EventTime(100)), SECOND);
        assert_eq!(clock.advance(), Watermark::NONE);
        clock.observe(1, Some(EventTime(50)), SECOND);
        assert_eq!(clock.advance(), Watermark::at(EventTime(45)));
    }

    #[test]
    fn rule_1_never_goes_back() {
        let mut clock = clock(1);
        clock.observe(0, Some(EventTime(100)), SECOND);
        clock.advance();
        clock.add_partition(Some(EventTime(3)), SECOND);
        assert_eq!(clock.advance(), Watermark::at(EventTime(95)));
    }

    #[test]
    fn rule_3_silent_but_behind_is_not_idle() {
        let mut clock = clock(2);
        clock.observe(0, Some(EventTime(100)), SECOND);
        clock.progress(1, false, false, 60 * SECOND);
        assert_eq!(clock.advance(), Watermark::NONE);
        clock.progress(1, true, false, 69 * SECOND);
        assert_eq!(clock.advance(), Watermark::NONE, "silent for 9 s only");
        clock.progress(1, true, false, 70 * SECOND);
        assert_eq!(clock.advance(), Watermark::at(EventTime(95)));
    }

    #[test]
    fn rule_3_coming_back_does_not_lower_it() {
        let mut clock = clock(2);
        clock.observe(0, Some(EventTime(100)), SECOND);
        clock.progress(1, true, false, 11 * SECOND);
        clock.advance();
        clock.observe(1, Some(EventTime(7)), 12 * SECOND);
        assert!(!clock.partitions()[1].idle);
        assert_eq!(clock.advance(), Watermark::at(EventTime(95)));
    }

    #[test]
    fn all_idle_keeps_the_last_value() {
        let mut clock = clock(1);
        clock.observe(0, Some(EventTime(100)), SECOND);
        clock.advance();
        clock.progress(0, true, false, 60 * SECOND);
        assert_eq!(clock.advance(), Watermark::at(EventTime(95)));
    }

    #[test]
    fn rule_7_the_end_of_all_input_is_the_end_of_time() {
        let mut clock = clock(2);
        clock.progress(0, true, true, SECOND);
        assert_eq!(clock.advance(), Watermark::NONE);
        clock.progress(1, true, true, SECOND);
        assert_eq!(clock.advance(), Watermark::END);
    }

    #[test]
    fn saturates_at_the_beginning_of_time() {
        let mut clock = clock(1);
        clock.observe(0, Some(EventTime(i64::MIN + 2)), SECOND);
        assert_eq!(clock.advance(), Watermark::at(EventTime(i64::MIN)));
    }
}
