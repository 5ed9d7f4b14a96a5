//! How long a partition has been seen to be empty. Silence is not knowledge: only looks that were
//! answered count, and the time between them, not time in which nobody looked
//! (docs/design/time.md#rule-3).
//!
//! ```text
//!  looks    │  │  │  │                    │  │  │   seen empty each time, to its very end
//!  counted   ▒▒ ▒▒ ▒▒ ▒▒                   ▒▒ ▒▒    the gap counts for little, or ends the silence if it is long
//!                        (broker away)
//! ```

use std::time::Duration;

use sluicegate_model::time::LookPace;

/// Looks are at most this often, whatever the watermark would like: each is a few requests.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(250);

/// And at least this often: it is also how soon a topic that was made anew is noticed.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(5);

/// How often a source looks whether there are new partitions, and where those that bring nothing end.
///
/// A partition that is found later than `max_out_of_orderness` after its first record finds the watermark ahead of it; and a
/// partition is idle after several looks, not after one.
///
/// Where nothing comes and all partitions are idle, looks become rarer. The first record behind the silence moves the watermark
/// before anybody looks, so a new partition has to be found within `max_out_of_orderness` even then; and a gap between looks
/// must still count in full, should a partition not be idle yet.
pub fn look_pace(max_out_of_orderness: Duration, idle_after: Option<Duration>) -> LookPace {
    let tolerated = max_out_of_orderness / 4;
    let tolerated = idle_after.map_or(tolerated, |idle_after| tolerated.min(idle_after / 8));
    let every = tolerated.clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX);
    let most = idle_after.map_or(LOOK_EVERY_MAX, |idle_after| LOOK_EVERY_MAX.min(idle_after / 4));
    let in_silence = (max_out_of_orderness / 2).min(most).max(every);
    LookPace {
        every,
        patience: idle_after.map_or(0, |idle| looks_until_idle(every, idle)),
        in_silence,
    }
}

/// How many looks see a partition empty until it is idle, and two more for those that are not answered in time.
fn looks_until_idle(every: Duration, idle_after: Duration) -> u32 {
    let counted = every.min(idle_after / 4).as_nanos().max(1);
    let gaps = idle_after.as_nanos().div_ceil(counted);
    u32::try_from(gaps).unwrap_or(u32::MAX).saturating_add(3)
}

/// The silence of one partition.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Silence {
    /// The last look at which it was empty; none since it was last heard.
    last: Option<Duration>,
    /// How much of the time since the first such look counts.
    seen: Duration,
}

impl Silence {
    /// It was heard, or nothing is known of it.
    pub(super) fn broken() -> Self {
        Self::default()
    }

    /// At `at` it was seen to be empty. Returns whether it has been so for `idle_after`.
    pub(super) fn look(&mut self, at: Duration, idle_after: Duration) -> bool {
        let gap = self.last.map(|last| at.saturating_sub(last));
        match gap {
            None => *self = Self { last: Some(at), seen: Duration::ZERO },
            // Looks are not more often than they can be: a short patience does not make a slow broker an absent one.
            Some(gap) if gap > idle_after.max(LOOK_EVERY_MAX) => {
                *self = Self { last: Some(at), seen: Duration::ZERO };
            }
            Some(gap) => {
                self.seen += gap.min(idle_after / 4);
                self.last = self.last.max(Some(at));
            }
        }
        self.seen >= idle_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const IDLE_AFTER: Duration = Duration::from_secs(10);

    /// The first of these looks, in seconds, at which the partition is idle.
    fn idle_at(looks: impl IntoIterator<Item = u32>) -> Option<u32> {
        let mut silence = Silence::broken();
        looks.into_iter().find(|at| silence.look(*at * SECOND, IDLE_AFTER))
    }

    #[test]
    fn silence_is_as_long_as_it_was_looked_at() {
        assert_eq!(idle_at(0..60), Some(10));
        assert_eq!(idle_at((0..60).step_by(2)), Some(10));
    }

    #[test]
    fn the_same_look_counts_once() {
        assert_eq!(idle_at([0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]), None);
    }

    #[test]
    fn a_gap_counts_for_a_quarter_and_a_long_one_ends_it() {
        // Nobody looked from 3 to 11: 3 s, and 2.5 s of the gap, and then 4.5 s more.
        assert_eq!(idle_at((0..=3).chain(11..60)), Some(16));
        // Nobody looked from 3 to 27: it begins anew.
        assert_eq!(idle_at((0..=3).chain(27..60)), Some(37));
    }

    #[test]
    fn a_patience_shorter_than_the_time_between_looks_ends_after_several() {
        let mut silence = Silence::broken();
        let idle = (0..60).find(|at| silence.look(*at * SECOND, SECOND / 2));
        assert_eq!(idle, Some(4));
    }

    #[test]
    fn looks_are_as_often_as_the_watermark_can_tolerate() {
        let every = |bound, idle| look_pace(bound * SECOND, Some(idle * SECOND)).every;
        assert_eq!(every(5, 30), Duration::from_millis(1250));
        assert_eq!(every(300, 30), Duration::from_millis(3750));
        assert_eq!(every(0, 30), LOOK_EVERY_MIN);
        assert_eq!(every(3600, 3600), LOOK_EVERY_MAX);
        assert_eq!(look_pace(5 * SECOND, None).every, Duration::from_millis(1250));
    }

    #[test]
    fn looks_in_silence_find_a_new_partition_in_time() {
        let in_silence = |bound, idle| {
            let LookPace { every, in_silence, .. } = look_pace(bound, idle);
            assert!(in_silence >= every);
            in_silence
        };
        assert_eq!(in_silence(5 * SECOND, None), Duration::from_millis(2_500));
        assert_eq!(in_silence(SECOND, None), Duration::from_millis(500));
        assert_eq!(in_silence(Duration::ZERO, None), LOOK_EVERY_MIN);
        assert_eq!(in_silence(3600 * SECOND, None), LOOK_EVERY_MAX);
        assert_eq!(in_silence(8 * SECOND, Some(8 * SECOND)), 2 * SECOND, "a gap counts in full");
        assert_eq!(in_silence(Duration::ZERO, Some(SECOND / 10)), LOOK_EVERY_MIN);
    }

    #[test]
    fn looks_become_rarer_only_when_every_partition_is_idle() {
        let patience = |bound, idle| look_pace(bound, idle).patience;
        assert_eq!(patience(5 * SECOND, None), 0, "silence does not count");
        for (bound, idle) in [(5, 10), (0, 10), (300, 30), (5, 1), (1, 60)] {
            let (bound, idle) = (bound * SECOND, idle * SECOND);
            let LookPace { every, patience, .. } = look_pace(bound, Some(idle));
            let mut silence = Silence::broken();
            let needed = (1..).find(|look| silence.look(every * *look, idle)).unwrap();
            assert_eq!(patience, needed + 2, "{bound:?} {idle:?}");
        }
    }
}
