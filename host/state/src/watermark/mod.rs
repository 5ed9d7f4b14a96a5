//! The watermark: per partition the largest event time seen minus a bound, for the lane the minimum
//! over the partitions that count (docs/design/time.md, rules 1 and 3). Pure: time comes in as a
//! parameter.
//!
//! ```text
//!  partition 0   ──●────●──●─────●  max 120   own 120 − 5 = 115 ┐
//!  partition 1   ─●──●──────●       max  96   own  96 − 5 =  91 ┴─► lane 91
//!  partition 2   (seen empty for a while)       idle: not counted
//! ```
//!
//! # Partitions that run ahead
//!
//! What a partition brings ahead of the others lies in open windows until they have caught up. With `max_ahead` it
//! waits instead: it is paused while its largest event time is further than that ahead of the slowest partition that
//! counts, and read again when the lead is down to half of it, so that what the source fetched in vain at each pause
//! is a small part of what it reads.
//!
//! ```text
//!  partition 0   ──●────●──●─────●  max 120   24 ahead: paused until partition 1 has shown 110 ┐ max_ahead
//!  partition 1   ─●──●──────●       max  96   the slowest: never paused                       ┘    20
//! ```
//!
//! Pausing never delays a result: a window fires by the slowest partition that counts, and that one is never paused.
//! It never stops the lane either: those that are waited for are those that hold the watermark back anyway, so an idle
//! partition and one that has ended are not waited for, and one that has shown nothing only until it is idle. A
//! paused partition is never idle, because nobody knows whether it is silent.

mod silence;

use std::time::Duration;

use silence::Silence;
pub use silence::look_pace;
use sluicegate_model::time::{EventTime, Watermark};

/// The clocks of all partitions of a lane, and the lane's own. Owned by the lane; never goes back.
#[derive(Clone, Debug)]
pub struct LaneClock {
    max_out_of_orderness: i64,
    idle_after: Option<Duration>,
    /// µs.
    max_ahead: Option<i64>,
    /// The input ends when all partitions have ended; otherwise others may come.
    has_end: bool,
    /// There were partitions that ended and are gone.
    retired: bool,
    partitions: Vec<PartitionClock>,
    /// Since the watermark was last moved.
    fallen_idle: Vec<usize>,
    watermark: Watermark,
}

/// What one partition has shown of event time.
#[derive(Clone, Copy, Debug)]
pub struct PartitionClock {
    /// The largest event time seen, µs.
    pub max_event_time: Option<EventTime>,
    /// Seen empty to its end for long enough: not counted.
    pub idle: bool,
    /// Nothing will ever follow: not counted.
    pub ended: bool,
    /// Too far ahead of the others: not read for now.
    pub paused: bool,
    /// Monotonic time of the last record, or since when it may be silent: looks from before say nothing.
    active_at: Duration,
    silence: Silence,
}

impl LaneClock {
    /// A clock without partitions. `max_out_of_orderness` in µs, not negative.
    pub fn new(
        max_out_of_orderness: i64,
        idle_after: Option<Duration>,
        watermark: Watermark,
    ) -> Self {
        Self {
            max_out_of_orderness,
            idle_after,
            max_ahead: None,
            has_end: true,
            retired: false,
            partitions: Vec::new(),
            fallen_idle: Vec::new(),
            watermark,
        }
    }

    /// The same clock, by which partitions wait that are further than this ahead, in µs and not negative.
    #[must_use]
    pub fn with_max_ahead(self, max_ahead: Option<i64>) -> Self {
        Self { max_ahead, ..self }
    }

    /// The same clock, for an input that ends when all partitions have ended, or for one that never does.
    #[must_use]
    pub fn with_end(self, has_end: bool) -> Self {
        Self { has_end, ..self }
    }

    /// Keeps only those partitions that are marked, in their order; the others have ended.
    pub fn retire(&mut self, keep: &[bool]) {
        let mut keep = keep.iter().copied();
        let before = self.partitions.len();
        self.partitions.retain(|_| keep.next().unwrap_or(true));
        self.retired |= self.partitions.len() < before;
    }

    /// Partitions that have ended were taken out before.
    pub fn set_retired(&mut self) {
        self.retired = true;
    }

    /// Whether there were partitions, all have ended, and no other can come.
    pub fn all_ended(&self) -> bool {
        let any = self.retired || !self.partitions.is_empty();
        self.has_end && any && self.partitions.iter().all(|clock| clock.ended)
    }

    /// Adds a partition behind the ones there are: with what the chain knows of it, or with nothing.
    pub fn add_partition(&mut self, max_event_time: Option<EventTime>, now: Duration) {
        self.partitions.push(PartitionClock {
            max_event_time,
            idle: false,
            ended: false,
            paused: false,
            active_at: now,
            silence: Silence::broken(),
        });
    }

    /// The partitions in the order they were added.
    pub fn partitions(&self) -> &[PartitionClock] {
        &self.partitions
    }

    /// The smallest of its partitions' that are not idle; it never goes back.
    pub fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// The watermark of one partition by its own records.
    pub fn own(&self, partition: usize) -> Watermark {
        match self.partitions[partition].max_event_time {
            Some(max) => Watermark::at(self.behind(max)),
            None => Watermark::None,
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
        clock.is_heard(now);
        clock.max_event_time = clock.max_event_time.max(max);
    }

    /// Takes note of what the source says of a partition. `empty_at` is when an answer said last that everything up to its end
    /// has been handed on; none while there is more, or nobody knows. Idle is what was seen so during `idle_after`: a slow
    /// consumer is not an idle partition (FLINK-5479), one that nobody could look at neither, and a paused one even less.
    pub fn progress(
        &mut self,
        partition: usize,
        empty_at: Option<Duration>,
        ended: bool,
        now: Duration,
    ) {
        let clock = &mut self.partitions[partition];
        clock.ended = ended;
        match (empty_at, self.idle_after) {
            _ if clock.paused => clock.is_heard(now),
            (None, _) => clock.is_heard(now),
            (Some(at), Some(idle_after)) if at >= clock.active_at => {
                let was_idle = clock.idle;
                clock.idle = clock.silence.look(at, idle_after);
                if clock.idle && !was_idle {
                    self.fallen_idle.push(partition);
                }
            }
            (Some(_), _) => {}
        }
    }

    /// The partition that the lane's watermark waits for: of those that count the one that has come least far, the first of
    /// several. None if none counts, or if the input has ended.
    pub fn waits_for(&self) -> Option<usize> {
        let counted = self.partitions.iter().enumerate().filter(|(_, clock)| clock.counts());
        counted.min_by_key(|(_, clock)| clock.max_event_time).map(|(partition, _)| partition)
    }

    /// Moves the lane's watermark to the minimum over the partitions that count. Stays where it is while one of
    /// them has shown nothing, or while none counts; is [`Watermark::End`] when all have ended.
    pub fn advance(&mut self) -> Watermark {
        if self.all_ended() {
            self.watermark = Watermark::End;
            return self.watermark;
        }
        self.let_fall_idle();
        self.move_on();
        self.watermark
    }

    /// One look may find several partitions idle at once, and none is left that counts. They fall idle one after the other,
    /// the one that has been silent longest first, so that what the others have shown still counts.
    fn let_fall_idle(&mut self) {
        let mut fallen = std::mem::take(&mut self.fallen_idle);
        fallen.retain(|partition| self.partitions[*partition].idle);
        fallen.sort_by_key(|partition| {
            let clock = &self.partitions[*partition];
            (clock.max_event_time.is_some(), clock.active_at)
        });
        for partition in &fallen {
            self.partitions[*partition].idle = false;
        }
        for partition in fallen {
            self.move_on();
            self.partitions[partition].idle = true;
        }
    }

    fn move_on(&mut self) {
        if let Some(Some(minimum)) = self.slowest() {
            self.watermark = self.watermark.max(Watermark::at(self.behind(minimum)));
        }
    }

    /// Decides which partitions wait for the others. True if that has changed.
    pub fn pause_those_ahead(&mut self) -> bool {
        let Some(max_ahead) = self.max_ahead else { return false };
        let slowest = self.slowest();
        let mut changed = false;
        for clock in &mut self.partitions {
            let paused = match (slowest, clock.max_event_time) {
                _ if !clock.counts() => false,
                // Nobody is waited for, or it is waited for itself.
                (None, _) | (_, None) => false,
                (Some(None), Some(_)) => true,
                (Some(Some(slowest)), Some(max)) => {
                    let allowed = if clock.paused { max_ahead / 2 } else { max_ahead };
                    max.0.saturating_sub(slowest.0) > allowed
                }
            };
            changed |= clock.paused != paused;
            clock.paused = paused;
        }
        changed
    }

    /// The least of the largest event times of the partitions that count: `Some(None)` while one of them has shown
    /// nothing, `None` if none counts.
    fn slowest(&self) -> Option<Option<EventTime>> {
        let counted = self.partitions.iter().filter(|clock| clock.counts());
        // `None < Some`: a partition without an event is the slowest.
        counted.map(|clock| clock.max_event_time).min()
    }
}

impl PartitionClock {
    /// It may be silent from now on, and not before.
    fn is_heard(&mut self, now: Duration) {
        self.active_at = now;
        self.silence = Silence::broken();
        self.idle = false;
    }

    /// Whether the lane's watermark waits for it.
    fn counts(&self) -> bool {
        !self.idle && !self.ended
    }
}

#[cfg(test)]
mod tests;
