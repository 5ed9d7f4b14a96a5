//! After the last stamp of 32 bits the first comes again, and nothing else changes.

use super::sliding::Progress;
use super::*;
use sluicegate_model::refusal::MergeOutcome;

const SLIDES: (i64, i64) = (10, 5);
const LATENESS: i64 = 100;

/// One call that adds a row at `time` with `text` to its pane.
fn add(state: &mut KeyedState, time: i64, text: &str) {
    let slides = Slides::new(SLIDES.0, SLIDES.1, 0);
    let mut touched = Touched::default();
    state.begin(&mut touched);
    let place = Place { bounds: slides.pane(EventTime(time)).bounds(), skipped: 0 };
    state.touch(place, TableHash::of(b"a"), b"a", &mut touched);
    state.gather(&mut touched);
    let after = [touched.states.value(0), text.as_bytes()].concat();
    state.scatter(&touched, &[after.as_slice()].into_iter().collect(), std::iter::empty());
}

/// `start..end text #revision` of the windows that fire.
fn fire(state: &mut KeyedState, tables: &mut SlideTables, before: i64, now: i64) -> Vec<String> {
    let at = |time| Watermark::at(EventTime(time));
    let progress =
        Progress { before: at(before), now: at(now), lateness: LATENESS, tells_closed: false };
    let mut merge = |left: &Varlen, right: &Varlen| {
        let joined = left.iter().zip(right.iter()).map(|(left, right)| [left, right].concat());
        let joined: Vec<Vec<u8>> = joined.collect();
        MergeOutcome { states: joined.iter().map(Vec::as_slice).collect(), refusals: Vec::new() }
    };
    let mut rows = Vec::new();
    let slides = Slides::new(SLIDES.0, SLIDES.1, 0);
    tables.fire(&slides, state, progress, &mut merge, |WindowBounds { start, end }, merged, _| {
        for merged::MergedGroup { state, revision, .. } in merged.iter() {
            let text = String::from_utf8(state.unwrap().to_vec()).unwrap();
            rows.push(format!("{}..{} {text} #{revision}", start.micros(), end.micros()));
        }
    });
    rows
}

#[test]
fn sliding_windows_are_corrected_as_before_when_stamps_begin_again() {
    let run = |stamp: u32| {
        let (mut state, mut tables) = (KeyedState::default(), SlideTables::default());
        state.set_stamp(stamp);
        add(&mut state, 1, "1;");
        add(&mut state, 7, "7;");
        let mut told = fire(&mut state, &mut tables, -100, 15);
        add(&mut state, 8, "8;");
        add(&mut state, 2, "2;");
        told.extend(fire(&mut state, &mut tables, 15, 15));
        let groups = state.windows_mut().iter_mut();
        let changed = groups.map(|pane| pane.groups.take_changed(Watcher::Outbox, 9)).collect();
        (told, changed)
    };
    let expected: (Vec<String>, Vec<Vec<u32>>) = run(0);
    assert_eq!(
        expected.0,
        [
            "-5..5 1; #0",
            "0..10 1;7; #0",
            "5..15 7; #0",
            "-5..5 1;2; #1",
            "0..10 1;2;7;8; #1",
            "5..15 7;8; #1"
        ]
    );
    // The first stamp comes again before each of the calls.
    for before in 0..5 {
        assert_eq!(run(u32::MAX - before), expected, "{before} calls before");
    }
}

#[test]
fn a_group_of_the_first_call_is_touched_anew_by_the_first_call_after_all_stamps() {
    let mut state = KeyedState::default();
    add(&mut state, 1, "1;");
    state.set_stamp(u32::MAX);
    add(&mut state, 1, "2;");
    assert_eq!(dump(state.windows()), ["0 a 1;2;"]);
}
