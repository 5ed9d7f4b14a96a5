//! Samples on a clock that the test moves: rates, gaps, lanes that begin again, modules that begin at zero.

use std::sync::Arc;
use std::time::Duration;

use super::{EVERY, History, Lost, SAMPLES};
use crate::api::history::{History as Shown, MarkKind};
use crate::handle::fixture::{self, Fixture};
use sluicegate_chain::fates::Fates;
use sluicegate_chain::record::Epoch;
use sluicegate_engine::counters::{Activated, Commit, LaneMetrics};
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::{Clock, EventTime, Watermark};

/// A pipeline whose lane the test plays.
struct Lane {
    fixture: Fixture,
    history: History,
    clock: Clock,
}

impl Lane {
    /// Sampled once, with all counters at zero.
    fn new() -> Self {
        let fixture = fixture::sales();
        let history = History::new(&fixture.handle.config, fixture.handle.metrics());
        let lane = Self { fixture, history, clock: Clock::manual(1_000_000_000) };
        lane.sample();
        lane
    }

    fn metrics(&self) -> &Arc<LaneMetrics> {
        self.fixture.handle.metrics()
    }

    fn sample(&self) {
        self.history.sample(&self.fixture.status.load(), self.metrics(), &self.clock);
    }

    /// Time passes, then a sample is taken.
    fn after(&self, time: Duration) {
        self.clock.advance(time);
        self.sample();
    }

    /// Records are read, half of which are late, and time passes.
    fn reads(&self, read: u64, time: Duration) {
        let fates = Fates { read, late: read / 2, accepted: read - read / 2, ..Fates::default() };
        self.metrics().records.add(&fates);
        self.after(time);
    }

    /// The running module of `valid` is given rows, drops a tenth, and takes 2 µs for each.
    fn works(&self, rows: u64) {
        let valid = self.metrics().running("valid").unwrap();
        valid.given.add(rows);
        valid.dropped.add(rows / 10);
        valid.cpu.add_nanos(rows * 2_000);
    }

    fn shown(&self) -> Shown {
        self.history.show(None)
    }

    fn marks(&self) -> Vec<String> {
        let marks = self.shown().marks.into_iter();
        marks
            .map(|mark| format!("{} {:?} {:?} {}", mark.at, mark.kind, mark.epoch, mark.text))
            .collect()
    }
}

fn known(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

#[test]
fn before_the_second_sample_nothing_is_known() {
    let lane = Lane::new();
    assert_eq!(lane.history.rates(), Default::default());
    assert_eq!(lane.history.lost_in_a_minute(), None);
    assert_eq!(lane.history.stage_rates("valid"), Default::default());
    assert!(lane.shown().at.is_empty());
    lane.sample();
    assert_eq!(lane.history.rates(), Default::default(), "no time has passed");
    assert_eq!(lane.history.lost_in_a_minute(), None);
    lane.reads(10, EVERY);
    assert_eq!(lane.history.rates().read, Some(5.0));
    assert_eq!(lane.history.rates().dead_lettered, Some(0.0), "which is not the same as unknown");
}

#[test]
fn a_rate_is_that_of_the_last_ten_seconds_and_the_history_has_each_interval() {
    let lane = Lane::new();
    for read in [1_000, 20, 40, 60, 80, 100] {
        lane.reads(read, EVERY);
    }
    assert_eq!(lane.history.rates().read, Some(30.0), "the thousand were before");
    assert_eq!(lane.history.rates().late, Some(15.0));
    assert_eq!(lane.history.lost_in_a_minute(), Some(Lost { late: 650, dead_letters: 0 }));
    let shown = lane.shown();
    assert_eq!(shown.read, known(&[500.0, 10.0, 20.0, 30.0, 40.0, 50.0]));
    assert_eq!(shown.at, [1_002.0, 1_004.0, 1_006.0, 1_008.0, 1_010.0, 1_012.0]);
    let later = lane.history.show(Some(1_008_000));
    assert_eq!(later.at, [1_010.0, 1_012.0], "those after the one that the reader has");
    assert_eq!(later.read, known(&[40.0, 50.0]));
    assert_eq!(later.stages["valid"].rows.len(), 2);
}

#[test]
fn dead_letters_are_counted_whether_or_not_a_record_became_one() {
    let lane = Lane::new();
    lane.metrics().records.add(&Fates { read: 4, dead_lettered: 4, ..Fates::default() });
    for (kind, letters) in [("decode", 4), ("evaluate", 5), ("timer", 2), ("too_large", 1)] {
        lane.metrics().dead_letters.add(kind, letters);
    }
    lane.after(EVERY);
    assert_eq!(lane.history.lost_in_a_minute(), Some(Lost { late: 0, dead_letters: 12 }));
    assert_eq!(lane.history.rates().dead_letters, Some(6.0));
    assert_eq!(lane.history.rates().dead_lettered, Some(2.0), "the fates of records stay theirs");
    assert_eq!(lane.shown().dead_letters, known(&[6.0]));
}

#[test]
fn a_sample_that_comes_late_counts_over_the_time_that_it_took() {
    let lane = Lane::new();
    lane.reads(20, EVERY);
    lane.works(500);
    lane.reads(100, 5 * EVERY);
    let shown = lane.shown();
    assert_eq!(shown.read, known(&[10.0, 10.0]));
    assert_eq!(shown.at, [1_002.0, 1_012.0], "the gap is seen");
    assert_eq!(shown.stages["valid"].rows, known(&[0.0, 50.0]));
}

#[test]
fn fifteen_minutes_are_kept_and_no_more() {
    let lane = Lane::new();
    lane.metrics().opened(Epoch(0), 1_000_000_000);
    lane.reads(2, EVERY);
    assert_eq!(lane.marks().len(), 1);
    for _ in 0..SAMPLES + 10 {
        lane.reads(2, EVERY);
    }
    let shown = lane.shown();
    assert_eq!(shown.at.len(), 450);
    assert!(shown.marks.is_empty(), "{:?}", shown.marks);
    let length = shown.at.last().unwrap() - shown.at.first().unwrap() + EVERY.as_secs_f64();
    assert!((length - 900.0).abs() < 1e-6, "{length}");
    let lists = [&shown.read, &shown.written_rows, &shown.stages["revenue"].dropped];
    assert!(lists.iter().all(|list| list.len() == 450));
    assert!(shown.read.iter().all(|rate| *rate == Some(1.0)));
}

#[test]
fn a_stage_goes_on_counting_when_another_module_begins_at_zero() {
    let lane = Lane::new();
    lane.works(100);
    lane.after(EVERY);
    // What the first does last, the exchange, and what the second does, all between two samples.
    lane.works(40);
    let stages = lane.fixture.stages();
    let mut other = stages[0].plugin.clone();
    other.code = Arc::clone(&stages[1].plugin.code);
    lane.metrics().stage("valid").unwrap().runs(&other);
    lane.works(20);
    lane.after(EVERY);
    lane.after(EVERY);
    let valid = &lane.shown().stages["valid"];
    assert_eq!(valid.rows, known(&[50.0, 30.0, 0.0]));
    assert_eq!(valid.dropped, known(&[5.0, 3.0, 0.0]));
    assert_eq!(valid.micros_per_row, [Some(2.0), Some(2.0), None], "no row, no time for one");
    let rates = lane.history.stage_rates("valid");
    assert_eq!((rates.rows, rates.micros_per_row), (Some(26.667), Some(2.0)));
}

#[test]
fn a_lane_that_is_opened_again_is_marked_and_its_counters_go_on() {
    let lane = Lane::new();
    lane.metrics().opened(Epoch(0), 999_000_000);
    lane.reads(20, EVERY);
    lane.fixture
        .publish(|status| status.problem = Some("not committed for 3 s: no route".to_owned()));
    lane.reads(0, EVERY);
    lane.fixture
        .publish(|status| status.problem = Some("not committed for 5 s: no route".to_owned()));
    lane.reads(0, EVERY);
    lane.fixture.publish(|status| status.problem = Some("broker a:1 is not reachable".to_owned()));
    lane.reads(0, EVERY);
    lane.fixture.publish(|status| status.problem = None);
    lane.metrics().opened(Epoch(7), 1_009_500_000);
    // It begins at the last commit: what it had read since is read again, and is work.
    lane.reads(20, EVERY);
    assert_eq!(lane.shown().read, known(&[10.0, 0.0, 0.0, 0.0, 10.0]));
    expect_test::expect![[r#"
        1970-01-01T00:16:39Z Opened Some(0) opened, at the beginning
        1970-01-01T00:16:44Z Problem None not committed for 3 s: no route
        1970-01-01T00:16:48Z Problem None broker a:1 is not reachable
        1970-01-01T00:16:49.500Z Opened Some(7) opened, goes on behind epoch 7
        1970-01-01T00:16:50Z Mended None broker a:1 is not reachable"#]]
    .assert_eq(&lane.marks().join("\n"));
}

#[test]
fn an_activation_is_marked_at_the_time_of_its_commit_once() {
    let lane = Lane::new();
    let commit = |epoch, activated: &[Activated]| Commit {
        epoch: Epoch(epoch),
        at_micros: 1_001_234_567 + epoch as i64,
        took: Duration::from_millis(80),
        files: 1,
        rows: 2,
        bytes: 3,
        messages: 0,
        state_bytes: 4,
        activated: activated.to_vec(),
    };
    let activated = Activated {
        stage: "valid".to_owned(),
        module: "valid-sale".to_owned(),
        digest: ModuleDigest([0xcd; 32]),
        previous: ModuleDigest([0xab; 32]),
    };
    lane.metrics().commits.push(commit(8, &[]));
    lane.metrics().commits.push(commit(9, &[activated]));
    lane.after(EVERY);
    lane.metrics().commits.push(commit(10, &[]));
    lane.after(EVERY);
    let marks = lane.shown().marks;
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert_eq!((marks[0].kind, marks[0].epoch), (MarkKind::Activation, Some(9)));
    assert_eq!(marks[0].at, "1970-01-01T00:16:41.234Z");
    assert_eq!(marks[0].digest, Some(ModuleDigest([0xcd; 32])));
    assert_eq!(
        marks[0].text,
        "stage valid runs valid-sale cdcdcdcdcdcd instead of abababababab, from epoch 9 on"
    );
    let later = lane.history.show(Some(1_001_999)).marks;
    assert_eq!(later, marks, "it was seen by a sample that the reader does not have");
    assert!(lane.history.show(Some(1_002_000)).marks.is_empty(), "the reader has it");
}

#[test]
fn what_a_problem_says_and_how_many_there_are_is_bounded() {
    let lane = Lane::new();
    for n in 0..200_u8 {
        let word: String = char::from(b'a' + n % 26).to_string().repeat(10_000);
        lane.fixture.publish(|status| status.problem = Some(word));
        lane.after(EVERY);
    }
    let marks = lane.shown().marks;
    assert_eq!(marks.len(), super::MARKS_MAX);
    assert!(marks.iter().all(|mark| mark.text.chars().count() == 301));
}

#[test]
fn the_state_of_a_lane_that_was_not_opened_is_unknown() {
    let lane = Lane::new();
    lane.after(EVERY);
    lane.fixture.publish(|status| {
        status.epoch = None;
        status.watermark = Watermark::None;
        status.partitions.clear();
    });
    lane.after(EVERY);
    lane.fixture.publish(|status| {
        status.epoch = Some(Epoch(0));
        status.watermark = Watermark::at(EventTime(1_001_000_000));
    });
    lane.after(EVERY);
    let shown = lane.shown();
    assert_eq!(shown.open_groups, [Some(3), None, Some(3)]);
    assert_eq!(shown.state_bytes, [Some(120), None, Some(120)]);
    assert_eq!(shown.lag, [Some(5), None, None]);
    assert_eq!(shown.watermark_delay_seconds, [Some(2.0), None, Some(5.0)]);
}
