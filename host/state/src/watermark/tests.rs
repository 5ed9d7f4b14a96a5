//! docs/design/time.md, rules 1, 3 and 7 on the clocks alone, and who waits for whom.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn clock(partitions: usize) -> LaneClock {
    let mut clock = LaneClock::new(5, Some(10 * SECOND), Watermark::None);
    for _ in 0..partitions {
        clock.add_partition(None, Duration::ZERO);
    }
    clock
}

/// Looks each second from `from` to `to`, and always sees the partition empty.
fn looks(clock: &mut LaneClock, partition: usize, from: u32, to: u32) {
    for at in from..=to {
        clock.progress(partition, Some(at * SECOND), false, at * SECOND);
    }
}

#[test]
fn rule_1_the_lane_is_the_minimum_and_waits_for_every_partition() {
    let mut clock = clock(2);
    clock.observe(0, Some(EventTime(100)), SECOND);
    assert_eq!(clock.advance(), Watermark::None);
    clock.observe(1, Some(EventTime(50)), SECOND);
    assert_eq!(clock.advance(), Watermark::at(EventTime(45)));
}

#[test]
fn the_lane_waits_for_the_one_of_those_that_count_which_has_come_least_far() {
    let mut clock = clock(3);
    assert_eq!(clock.waits_for(), Some(0), "none has shown anything: the first of several");
    clock.observe(0, Some(EventTime(100)), SECOND);
    clock.observe(1, Some(EventTime(50)), SECOND);
    assert_eq!(clock.waits_for(), Some(2), "it has shown nothing");
    looks(&mut clock, 2, 0, 20);
    assert!(clock.partitions()[2].idle);
    assert_eq!(clock.waits_for(), Some(1));
    clock.progress(1, None, true, 21 * SECOND);
    assert_eq!(clock.waits_for(), Some(0), "the others are idle, or have ended");
    clock.progress(0, None, true, 21 * SECOND);
    assert_eq!(clock.waits_for(), None);
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
    clock.progress(1, None, false, 60 * SECOND);
    assert_eq!(clock.advance(), Watermark::None);
    looks(&mut clock, 1, 60, 69);
    assert_eq!(clock.advance(), Watermark::None, "silent for 9 s only");
    looks(&mut clock, 1, 70, 70);
    assert_eq!(clock.advance(), Watermark::at(EventTime(95)));
}

/// The store is away, nobody polls, the last look is all there is.
#[test]
fn rule_3_time_in_which_nobody_looks_is_not_silence() {
    let mut clock = clock(2);
    clock.observe(0, Some(EventTime(100)), SECOND);
    looks(&mut clock, 1, 0, 5);
    for now in 6..60 {
        clock.progress(1, Some(5 * SECOND), false, now * SECOND);
        assert_eq!(clock.advance(), Watermark::None, "at {now} nobody has looked since 5");
    }
    looks(&mut clock, 1, 60, 69);
    assert_eq!(clock.advance(), Watermark::None, "its silence begins from scratch");
    looks(&mut clock, 1, 70, 70);
    assert_eq!(clock.advance(), Watermark::at(EventTime(95)));
}

#[test]
fn rule_3_a_look_from_before_the_last_record_says_nothing() {
    let mut clock = clock(1);
    clock.observe(0, Some(EventTime(100)), 20 * SECOND);
    for now in 20..60 {
        clock.progress(0, Some(19 * SECOND), false, now * SECOND);
    }
    looks(&mut clock, 0, 60, 69);
    assert!(!clock.partitions()[0].idle);
    looks(&mut clock, 0, 70, 70);
    assert!(clock.partitions()[0].idle);
}

/// Records of an open transaction lie behind what may be read: the partition is not empty.
#[test]
fn rule_3_what_was_idle_counts_again_once_something_lies_in_it() {
    let mut clock = clock(2);
    looks(&mut clock, 1, 0, 10);
    assert!(clock.partitions()[1].idle);
    clock.progress(1, None, false, 11 * SECOND);
    assert!(!clock.partitions()[1].idle);
}

#[test]
fn rule_3_a_partition_just_found_holds_the_watermark_until_it_was_looked_at() {
    let mut clock = clock(1);
    clock.observe(0, Some(EventTime(100)), 50 * SECOND);
    clock.advance();
    clock.add_partition(None, 51 * SECOND);
    clock.observe(0, Some(EventTime(500)), 52 * SECOND);
    assert_eq!(clock.advance(), Watermark::at(EventTime(95)));
    looks(&mut clock, 1, 52, 61);
    clock.observe(0, Some(EventTime(510)), 61 * SECOND);
    assert_eq!(clock.advance(), Watermark::at(EventTime(95)), "seen empty for 9 s only");
    clock.observe(1, Some(EventTime(505)), 62 * SECOND);
    assert_eq!(clock.advance(), Watermark::at(EventTime(500)));
}

/// Everything was read at once, and then nothing came: one look finds both idle.
#[test]
fn rule_3_those_that_fall_idle_together_do_so_one_after_the_other() {
    let mut clock = clock(2);
    clock.observe(0, Some(EventTime(100)), SECOND);
    for at in 2..=12 {
        for partition in [0, 1] {
            clock.progress(partition, Some(at * SECOND), false, at * SECOND);
        }
        clock.advance();
    }
    assert!(clock.partitions().iter().all(|clock| clock.idle));
    assert_eq!(clock.watermark(), Watermark::at(EventTime(95)));
}

#[test]
fn rule_3_coming_back_does_not_lower_it() {
    let mut clock = clock(2);
    clock.observe(0, Some(EventTime(100)), SECOND);
    looks(&mut clock, 1, 0, 11);
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
    looks(&mut clock, 0, 1, 60);
    assert!(clock.partitions()[0].idle);
    assert_eq!(clock.advance(), Watermark::at(EventTime(95)));
}

#[test]
fn rule_7_the_end_of_all_input_is_the_end_of_time() {
    let mut clock = clock(2);
    clock.progress(0, Some(SECOND), true, SECOND);
    assert_eq!(clock.advance(), Watermark::None);
    clock.progress(1, Some(SECOND), true, SECOND);
    assert_eq!(clock.advance(), Watermark::End);
}

#[test]
fn saturates_at_the_beginning_of_time() {
    let mut clock = clock(1);
    clock.observe(0, Some(EventTime(i64::MIN + 2)), SECOND);
    assert_eq!(clock.advance(), Watermark::at(EventTime(i64::MIN)));
}

/// Partitions that wait when they are more than 20 ahead.
fn clock_with_max_ahead(partitions: usize) -> LaneClock {
    clock(partitions).with_max_ahead(Some(20))
}

fn paused(clock: &LaneClock) -> Vec<usize> {
    (0..clock.partitions().len()).filter(|index| clock.partitions()[*index].paused).collect()
}

#[test]
fn a_partition_far_ahead_waits_until_its_lead_has_halved() {
    let mut clock = clock_with_max_ahead(3);
    for (partition, max) in [(0, 121), (1, 120), (2, 100)] {
        clock.observe(partition, Some(EventTime(max)), SECOND);
    }
    assert!(clock.pause_those_ahead());
    assert_eq!(paused(&clock), [0], "20 ahead is not more than 20");
    assert!(!clock.pause_those_ahead(), "nothing has changed");
    clock.observe(2, Some(EventTime(110)), SECOND);
    assert!(!clock.pause_those_ahead(), "still 11 ahead");
    clock.observe(2, Some(EventTime(111)), SECOND);
    assert!(clock.pause_those_ahead());
    assert!(paused(&clock).is_empty());
}

#[test]
fn without_max_ahead_nobody_waits() {
    let mut clock = clock(2);
    clock.observe(0, Some(EventTime(i64::MAX)), SECOND);
    clock.observe(1, Some(EventTime(i64::MIN)), SECOND);
    assert!(!clock.pause_those_ahead());
}

#[test]
fn a_partition_that_has_shown_nothing_is_waited_for_until_it_is_idle() {
    let mut clock = clock_with_max_ahead(2);
    clock.observe(0, Some(EventTime(100)), SECOND);
    assert!(clock.pause_those_ahead());
    assert_eq!(paused(&clock), [0]);
    // It has caught up with nothing.
    looks(&mut clock, 1, 0, 9);
    assert!(!clock.pause_those_ahead());
    looks(&mut clock, 1, 10, 10);
    assert!(clock.pause_those_ahead());
    assert!(paused(&clock).is_empty());
}

#[test]
fn a_partition_that_has_ended_is_not_waited_for() {
    let mut clock = clock_with_max_ahead(2);
    clock.observe(0, Some(EventTime(100)), SECOND);
    clock.observe(1, Some(EventTime(0)), SECOND);
    assert!(clock.pause_those_ahead());
    clock.progress(1, Some(SECOND), true, SECOND);
    assert!(clock.pause_those_ahead());
    assert!(paused(&clock).is_empty());
}

/// Else the others would pass it, and what it holds back would be late.
#[test]
fn a_paused_partition_is_never_idle() {
    let mut clock = clock_with_max_ahead(2);
    clock.observe(0, Some(EventTime(100)), SECOND);
    clock.observe(1, Some(EventTime(0)), SECOND);
    clock.pause_those_ahead();
    looks(&mut clock, 0, 1, 60);
    assert!(!clock.partitions()[0].idle);
    // The others pass it: it is read again, and holds the watermark until it has shown what it has, or is silent.
    clock.observe(1, Some(EventTime(200)), 60 * SECOND);
    assert_eq!(clock.advance(), Watermark::at(EventTime(95)));
    assert!(clock.pause_those_ahead());
    assert_eq!(paused(&clock), [1]);
    looks(&mut clock, 0, 60, 69);
    assert!(!clock.partitions()[0].idle, "silent for 9 s since it was read again");
    looks(&mut clock, 0, 70, 70);
    assert!(clock.partitions()[0].idle);
}

#[test]
fn leads_beyond_the_range_of_time_are_leads() {
    let mut clock = clock_with_max_ahead(2);
    clock.observe(0, Some(EventTime(i64::MAX)), SECOND);
    clock.observe(1, Some(EventTime(i64::MIN)), SECOND);
    assert!(clock.pause_those_ahead());
    assert_eq!(paused(&clock), [0]);
}

/// What can happen to a partition.
#[derive(Clone, Debug)]
enum Step {
    Observe(usize, i64),
    Progress(usize, bool, bool),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4_usize, 0..200_i64).prop_map(|(partition, max)| Step::Observe(partition, max)),
        (0..4_usize, any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(partition, caught_up, ended)| Step::Progress(partition, caught_up, ended)),
        (1..8_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn somebody_who_counts_is_always_read_and_nobody_read_is_too_far_ahead(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut clock = clock_with_max_ahead(4);
        let mut now = Duration::ZERO;
        for step in steps {
            match step {
                // Nothing comes of a paused partition.
                Step::Observe(partition, _) if clock.partitions()[partition].paused => {}
                Step::Observe(partition, max) => clock.observe(partition, Some(EventTime(max)), now),
                Step::Progress(partition, caught_up, ended) => {
                    clock.progress(partition, caught_up.then_some(now), ended, now);
                }
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
            }
            clock.advance();
            clock.pause_those_ahead();
            let counted = || clock.partitions().iter().filter(|clock| clock.counts());
            prop_assert!(counted().count() == 0 || counted().any(|clock| !clock.paused));
            let slowest = counted().map(|clock| clock.max_event_time).min().flatten();
            for clock in counted() {
                let lead = clock.max_event_time.zip(slowest).map(|(max, slow)| max.0 - slow.0);
                let fits = if clock.paused { 11..=i64::MAX } else { 0..=20 };
                prop_assert!(lead.is_none_or(|lead| fits.contains(&lead)));
                prop_assert!(!(clock.paused && clock.idle));
            }
        }
    }
}
