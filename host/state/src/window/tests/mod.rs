//! Windows, keys and groups, each by its rule.

mod scale;
mod visits;
mod snapshots;
mod stamps;
mod closed;
mod hashes;
mod damage;
mod row_keys;

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};
use proptest::prelude::*;

use super::firing::Firing;
use super::*;
use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;

fn tumbling(size: i64, offset: i64) -> Slides {
    Slides::new(size, size, offset)
}

fn window(start: i64, end: i64) -> WindowBounds {
    WindowBounds { start: EventTime(start), end: EventTime(end) }
}

fn cut(start: i128, end: i128) -> WindowBounds {
    let cut = |time: i128| time.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    window(cut(start), cut(end))
}

/// Sizes and slides of every magnitude.
fn length() -> impl Strategy<Value = i64> {
    (0..63u32, any::<u64>()).prop_map(|(bits, any)| (any % (1 << bits)) as i64 + 1)
}

/// Times of every magnitude, the ends of `i64` among them.
fn time() -> impl Strategy<Value = i64> {
    let far = (any::<i64>(), 0..64u32).prop_map(|(time, bits)| time >> bits);
    prop_oneof![
        far,
        (0..5000i64).prop_map(|by| i64::MIN + by),
        (0..5000i64).prop_map(|by| i64::MAX - by)
    ]
}

proptest! {
    #[test]
    fn rule_4_sliding_windows_are_exact_over_all_of_time(
        time in time(), size in length(), slide in length(), offset in 0..i64::MAX,
    ) {
        // No more windows than can be listed.
        let slide = slide.max(size / 50 + 1);
        let offset = offset % slide;
        let windows = Slides::new(size, slide, offset);
        let (exact, size_, slide_) = (i128::from(time), i128::from(size), i128::from(slide));
        // From the last slide boundary down while the window still contains the time.
        let last = exact - (exact - i128::from(offset)).rem_euclid(slide_);
        let starts = std::iter::successors(Some(last), |start| Some(start - slide_));
        let starts = starts.take_while(|start| start + size_ > exact);
        let mut expected: Vec<_> = starts.map(|start| cut(start, start + size_)).collect();
        expected.reverse();
        prop_assert_eq!(windows.windows(EventTime(time)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rule_8_all_times_of_a_pane_lie_in_the_same_windows(
        time in time(), size in length(), slide in length(), offset in 0..i64::MAX, part in 0..1000i128,
    ) {
        let slides = Slides::new(size, slide, offset % slide);
        let time = EventTime(time);
        let pane = slides.pane(time);
        prop_assert!(pane.contains(time));
        let WindowBounds { start: EventTime(start), end: EventTime(end) } = pane.bounds();
        let other = i128::from(start) + (i128::from(end) - i128::from(start) - 1) * part / 999;
        prop_assert_eq!(slides.pane_at(EventTime(other as i64)), slides.pane_at(time));
        let before = start.checked_sub(1).map(|before| slides.pane_at(EventTime(before)));
        prop_assert!(before.is_none_or(|before| before + 1 == slides.pane_at(time)));
        for window in [slides.windows_of(slides.pane_at(time)).start, slides.windows_of(slides.pane_at(time)).end - 1] {
            let sees = slides.panes_of(window).contains(&slides.pane_at(time));
            prop_assert_eq!(sees, pane.windows() > 0);
        }
    }

    #[test]
    fn rule_2_a_row_is_judged_for_each_of_its_windows(
        time in -100..100i64, size in 1..40i64, slide in 1..40i64, offset in 0..40i64, watermark in -200..200i64,
    ) {
        let slides = Slides::new(size, slide, offset % slide);
        let windows = slides;
        let (time, watermark) = (EventTime(time), EventTime(watermark));
        let missed = windows.windows(time).filter(|window| window.end <= watermark).count() as u32;
        let expected = match windows.windows(time).count() as u32 {
            0 => Placement::Outside,
            all if all == missed => Placement::Late,
            _ => Placement::OnTime { skipped: missed },
        };
        prop_assert_eq!(slides.place(&slides.pane(time), watermark), expected);
    }

    #[test]
    fn rule_4_starts_are_exact_over_all_of_time(time: i64, size in 1..=i64::MAX, offset in 0..i64::MAX) {
        let windows = tumbling(size, offset % size);
        let (time, size, offset) = (i128::from(time), i128::from(size), i128::from(offset % size));
        let start = time - (time - offset).rem_euclid(size);
        let bounds: Vec<_> = windows.windows(EventTime(time as i64)).collect();
        prop_assert_eq!(bounds, [cut(start, start + size)]);
    }

    #[test]
    fn keys_survive_encoding(rows in prop::collection::vec((any::<Option<i64>>(), any::<Option<String>>()), 1..50)) {
        let longs: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>());
        let texts: ArrayRef = Arc::new(rows.iter().map(|row| row.1.clone()).collect::<StringArray>());
        let mut keys = Varlen::default();
        key::encode(&[Arc::clone(&longs), Arc::clone(&texts)], RowSelection::All(rows.len()), &mut keys);
        let fields = [
            Arc::new(Field::new("long", DataType::Int64, true)),
            Arc::new(Field::new("text", DataType::Utf8, true)),
        ];
        prop_assert_eq!(key::decode(&fields, keys.iter().collect::<Vec<_>>().into_iter()), vec![longs, texts]);
    }
}

#[test]
fn keys_of_long_decimals_survive_encoding() {
    let nines = 10_i128.pow(38) - 1;
    let decimals = Decimal128Array::from(vec![Some(nines), None, Some(-nines), Some(-1)]);
    let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(38, 4).unwrap());
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "", "d"]));
    let mut keys = Varlen::default();
    key::encode(&[Arc::clone(&decimals), Arc::clone(&texts)], RowSelection::All(4), &mut keys);
    // Stored: a byte, sixteen little endian, and the text.
    assert_eq!(keys.value(3), [&[1][..], &[0xff; 16], &[1, 1, 0, 0, 0, b'd']].concat());
    let fields = [
        Arc::new(Field::new("decimal", DataType::Decimal128(38, 4), true)),
        Arc::new(Field::new("text", DataType::Utf8, true)),
    ];
    assert_eq!(
        key::decode(&fields, keys.iter().collect::<Vec<_>>().into_iter()),
        [decimals, texts]
    );
}

#[test]
fn nan_keys_are_one_key_and_so_are_the_zeros() {
    let other_nan = f64::from_bits(f64::NAN.to_bits() | 1);
    let column: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, other_nan, 0.0, -0.0, 1.0]));
    let mut keys = Varlen::default();
    key::encode(&[column], RowSelection::All(5), &mut keys);
    assert_eq!(keys.value(0), keys.value(1));
    assert_eq!(keys.value(2), keys.value(3));
    assert_ne!(keys.value(3), keys.value(4));
}

/// Few groups of a run, and of what is sorted at once, so that everything is cut.
const RUN: RunSize = RunSize { groups: 2, sorted: 3 };

impl KeyedState {
    /// Fires all that is due, and closes what takes no more rows.
    fn fire(&mut self, watermark: Watermark, lateness: i64, mut each: impl FnMut(&Firing)) {
        let is_due = |place: &Place| watermark.has_passed(place.bounds.end);
        while self.has_due(is_due) {
            match self.next_run(is_due, RUN) {
                NextRun::Nothing => break,
                NextRun::Sorting => {}
                NextRun::To(last) => each(&self.fire_run(Some(&last))),
                NextRun::All => each(&self.fire_run(None)),
            }
        }
        self.close(watermark, lateness);
    }
}

impl Sessions {
    /// The same.
    fn fire(
        &mut self,
        rule: SessionRule,
        watermark: Watermark,
        lateness: i64,
        mut each: impl FnMut(&Firing),
    ) {
        loop {
            match self.next_run(watermark, RUN) {
                NextRun::Nothing => break,
                NextRun::Sorting => {}
                NextRun::To(last) => each(&self.fire_run(Some(&last))),
                NextRun::All => each(&self.fire_run(None)),
            }
        }
        self.close(rule, watermark, lateness);
    }
}

/// One call that appends each row's text to the accumulator of its group.
fn append(state: &mut KeyedState, rows: &[(i64, &str, &str)], refused: &[u32]) {
    let windows = tumbling(10, 0);
    let mut touched = Touched::default();
    state.begin(&mut touched);
    for (time, key, _) in rows {
        let place = Place { bounds: windows.windows(EventTime(*time)).next().unwrap(), skipped: 0 };
        state.touch(place, TableHash::of(key.as_bytes()), key.as_bytes(), &mut touched);
    }
    state.gather(&mut touched);
    let mut states: Vec<Vec<u8>> = touched.states.iter().map(<[u8]>::to_vec).collect();
    for (row, (_, _, text)) in rows.iter().enumerate() {
        if !refused.contains(&(row as u32)) {
            states[touched.groups[row] as usize].extend_from_slice(text.as_bytes());
        }
    }
    let states: Varlen = states.iter().map(Vec::as_slice).collect();
    state.scatter(&touched, &states, refused.iter().copied());
}

fn dump(windows: &std::collections::VecDeque<state::OpenWindow>) -> Vec<String> {
    let row = |window: &state::OpenWindow, id| {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        format!(
            "{} {} {}",
            window.place.bounds.start.micros(),
            text(window.groups.key(id)),
            text(window.groups.state(id))
        )
    };
    windows.iter().flat_map(|window| window.groups.ids().map(move |id| row(window, id))).collect()
}

#[test]
fn rows_reach_the_group_of_their_window_and_key_in_order() {
    let mut state = KeyedState::default();
    append(&mut state, &[(1, "a", "1"), (12, "a", "2"), (3, "b", "3"), (9, "a", "4")], &[]);
    append(&mut state, &[(2, "a", "5")], &[]);
    assert_eq!(dump(state.windows()), ["0 a 145", "0 b 3", "10 a 2"]);
}

#[test]
fn a_group_whose_rows_were_all_refused_is_as_if_it_were_not_there() {
    let mut state = KeyedState::default();
    append(&mut state, &[(1, "a", "1"), (1, "b", "2")], &[1]);
    assert_eq!(dump(state.windows()), ["0 a 1"]);
    append(&mut state, &[(1, "b", "3")], &[]);
    assert_eq!(dump(state.windows()), ["0 a 1", "0 b 3"]);
}

#[test]
fn rule_2_a_window_fires_when_the_watermark_reaches_its_end() {
    let mut state = KeyedState::default();
    append(&mut state, &[(1, "a", "1"), (12, "a", "2")], &[]);
    let mut fire = |watermark| rows_of(|each| state.fire(watermark, 0, each));
    assert!(fire(Watermark::at(EventTime(9))).is_empty());
    assert_eq!(fire(Watermark::at(EventTime(10))), ["0..10 a 1 #0"]);
    assert_eq!(fire(Watermark::End), ["10..20 a 2 #0"]);
    assert_eq!(state.groups_len(), 0);
}

#[test]
fn changed_groups_are_given_once_to_each_watcher_and_in_parts() {
    let mut state = KeyedState::default();
    append(&mut state, &[(1, "a", "1"), (2, "b", "2")], &[]);
    let groups = &mut state.windows_mut()[0].groups;
    assert_eq!(groups.take_changed(Watcher::Live, 1), [0]);
    assert_eq!(groups.take_changed(Watcher::Live, 9), [1]);
    assert!(groups.take_changed(Watcher::Live, 9).is_empty());
    append(&mut state, &[(1, "b", "1")], &[]);
    let groups = &mut state.windows_mut()[0].groups;
    assert_eq!(groups.take_changed(Watcher::Live, 9), [1]);
    // Who has not looked yet has missed nothing, and hears of nothing twice.
    assert_eq!(groups.take_changed(Watcher::Outbox, 9), [0, 1]);
    assert!(groups.take_changed(Watcher::Outbox, 9).is_empty());
}

/// A run holds copies of what fires.
#[test]
fn a_run_of_large_groups_has_few_of_them() {
    let mut state = KeyedState::default();
    let large = "x".repeat(1_500);
    for key in ["a", "b", "c", "d", "e"] {
        append(&mut state, &[(5, key, &large)], &[]);
    }
    let size = RunSize { groups: 100, sorted: 100 };
    let mut runs = Vec::new();
    loop {
        let last = match state.next_run(|_| true, size) {
            NextRun::Nothing => break,
            NextRun::Sorting => continue,
            NextRun::To(last) => Some(last),
            NextRun::All => None,
        };
        runs.push(state.fire_run(last.as_ref()).len());
    }
    assert_eq!(runs, [2, 2, 1]);
}

/// The accumulator of a group may be nothing at all, and is so from its first row on.
#[test]
fn a_new_group_without_an_accumulator_corrects_a_window_that_has_fired() {
    let mut state = KeyedState::default();
    append(&mut state, &[(5, "a", "1")], &[]);
    let fired = |state: &mut KeyedState| {
        rows_of(|each| state.fire(Watermark::at(EventTime(10)), 10, each)).len()
    };
    assert_eq!(fired(&mut state), 1);
    append(&mut state, &[(5, "b", "")], &[]);
    assert_eq!(fired(&mut state), 1);
    assert_eq!(fired(&mut state), 0);
}

#[test]
fn growing_accumulators_do_not_keep_the_room_they_left() {
    let mut table = groups::GroupTable::default();
    let id = table.find_or_insert(TableHash::of(b"key"), b"key");
    for length in 1..2_000 {
        table.set_state(id, &vec![7; length]);
    }
    assert_eq!(table.state(id), vec![7; 1_999]);
    assert!(table.bytes() < 64_000, "{} bytes for one accumulator of 2 kB", table.bytes());
}

fn encode(state: &KeyedState, generation: u32, bytes: &mut Vec<u8>) -> u64 {
    snapshot::encode(&[snapshot::Stored::Windows(state)], generation, None, bytes)
}

#[test]
fn a_snapshot_gives_back_every_group() {
    let mut state = KeyedState::default();
    append(&mut state, &[(1, "a", "1"), (-12, "a", "2"), (3, "b", "")], &[]);
    let mut bytes = Vec::new();
    assert_eq!(encode(&state, 3, &mut bytes), 3);
    let mut restored = KeyedState::default();
    snapshot::decode(&bytes, |row| {
        assert_eq!((row.generation, row.shard), (3, key_shard(row.key)));
        restored.restore(&row);
        Ok(())
    })
    .unwrap();
    assert_eq!(dump(restored.windows()), dump(state.windows()));
    assert_eq!(restored.windows()[0].place.bounds, window(-20, -10));
}

#[test]
fn a_damaged_snapshot_is_refused_at_every_length() {
    let mut state = KeyedState::default();
    append(&mut state, &[(1, "a", "1")], &[]);
    let mut bytes = Vec::new();
    encode(&state, 0, &mut bytes);
    for length in (0..bytes.len()).filter(|length| *length != 13) {
        assert!(snapshot::decode(&bytes[..length], |_| Ok(())).is_err(), "cut at {length}");
    }
}

/// A row for a session.
fn row(time: i64, closed_until: i64, key: &[u8]) -> SessionRow<'_> {
    let (time, closed_until) = (EventTime(time), EventTime(closed_until));
    SessionRow { time, closed_until, hash: TableHash::of(key), key }
}

/// A script: rows as `time key`, one call a slice, each row judged by the watermark; what a row is late for comes back.
fn run_sessions(
    sessions: &mut Sessions,
    rule: SessionRule,
    watermark: i64,
    rows: &[(i64, &str)],
) -> Vec<WindowBounds> {
    let mut call = SessionCall::default();
    let (mut late, mut texts) = (Vec::new(), Vec::new());
    for (time, key) in rows {
        match sessions.assign(rule, row(*time, watermark, key.as_bytes()), &mut call) {
            Ok(()) => texts.push(format!("{time};")),
            Err(missed) => late.push(missed.own),
        }
    }
    for round in 0..call.rounds() {
        let mut merge = |left: &Varlen, right: &Varlen| {
            let states = left.iter().zip(right.iter()).map(|(left, right)| [left, right].concat());
            let states: Vec<Vec<u8>> = states.collect();
            let states = states.iter().map(Vec::as_slice).collect();
            sluicegate_model::refusal::MergeOutcome { states, refusals: Vec::new() }
        };
        call.merge_round(round, &mut merge, |_, _, _, _| panic!("nothing is refused"));
        let now = call.rows_of(round);
        let mut states: Vec<Vec<u8>> = now.states.iter().map(<[u8]>::to_vec).collect();
        for (row, group) in now.rows.iter().zip(&now.groups) {
            states[*group as usize].extend_from_slice(texts[*row as usize].as_bytes());
        }
        let states: Varlen = states.iter().map(Vec::as_slice).collect();
        call.put(round, &states, std::iter::empty());
    }
    sessions.settle(&mut call);
    late
}

/// `start..end key state #revision` of what fires, sorted.
fn rows_of(fire: impl FnOnce(&mut dyn FnMut(&Firing))) -> Vec<String> {
    let mut rows = Vec::new();
    fire(&mut |firing| {
        for (index, WindowBounds { start, end }) in firing.bounds.iter().enumerate() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (key, state) = (text(firing.keys.value(index)), text(firing.states.value(index)));
            let (start, end) = (start.micros(), end.micros());
            rows.push(format!("{start}..{end} {key} {state} #{}", firing.revisions[index]));
        }
    });
    rows.sort();
    rows
}

fn fired(sessions: &mut Sessions, watermark: Watermark) -> Vec<String> {
    let rows = rows_of(|each| sessions.fire(TEN, watermark, 0, each));
    rows.into_iter().map(|row| row.trim_end_matches(" #0").to_owned()).collect()
}

const TEN: SessionRule = SessionRule { gap: 10, max_length: 100, corrected: false };

#[test]
fn rule_5_sessions_at_the_distance_of_the_gap_are_one() {
    let mut sessions = Sessions::default();
    run_sessions(&mut sessions, TEN, 0, &[(25, "a"), (30, "a"), (40, "a"), (51, "a"), (40, "b")]);
    assert_eq!(sessions.len(), 3);
    let rows = fired(&mut sessions, Watermark::End);
    assert_eq!(rows, ["25..50 a 25;30;40;", "40..50 b 40;", "51..61 a 51;"]);
    assert!(sessions.is_empty());
}

#[test]
fn rule_5_a_row_that_closes_a_gap_makes_one_session_of_two() {
    let mut sessions = Sessions::default();
    run_sessions(&mut sessions, TEN, 0, &[(30, "a"), (10, "a"), (20, "a"), (21, "a")]);
    assert_eq!(fired(&mut sessions, Watermark::End), ["10..40 a 10;30;20;21;"]);
}

#[test]
fn rule_5_a_late_row_is_rescued_by_an_open_session_that_it_touches() {
    let mut sessions = Sessions::default();
    run_sessions(&mut sessions, TEN, 0, &[(20, "a"), (0, "b")]);
    let late = run_sessions(&mut sessions, TEN, 25, &[(12, "a"), (12, "b"), (12, "c")]);
    assert_eq!(late, [window(12, 22); 2]);
    // The session of `b` was closed for the row, though it has not fired.
    let rows = fired(&mut sessions, Watermark::End);
    assert_eq!(rows, ["0..10 b 0;", "12..30 a 20;12;"]);
}

#[test]
fn rule_2_a_session_fires_when_the_watermark_reaches_its_end() {
    let mut sessions = Sessions::default();
    run_sessions(&mut sessions, TEN, 0, &[(0, "a"), (5, "a"), (40, "a")]);
    assert!(fired(&mut sessions, Watermark::at(EventTime(14))).is_empty());
    assert_eq!(fired(&mut sessions, Watermark::at(EventTime(15))), ["0..15 a 0;5;"]);
    assert_eq!(fired(&mut sessions, Watermark::at(EventTime(50))), ["40..50 a 40;"]);
}

#[test]
fn a_session_that_would_become_too_long_is_followed_by_another() {
    let mut sessions = Sessions::default();
    let rule = SessionRule { gap: 10, max_length: 20, corrected: false };
    run_sessions(&mut sessions, rule, 0, &[(0, "a"), (8, "a"), (16, "a"), (24, "a"), (9, "a")]);
    assert_eq!(fired(&mut sessions, Watermark::End), ["0..19 a 0;8;9;", "16..34 a 16;24;"]);
}

#[test]
fn sessions_at_the_ends_of_time_are_cut_off() {
    let mut sessions = Sessions::default();
    let rows = [(i64::MAX, "a"), (i64::MAX - 3, "a"), (i64::MIN, "a")];
    run_sessions(&mut sessions, TEN, i64::MIN, &rows);
    let (min, max) = (i64::MIN, i64::MAX);
    let expected = [
        format!("{min}..{} a {min};", min + 10),
        format!("{}..{max} a {max};{};", max - 3, max - 3),
    ];
    assert_eq!(fired(&mut sessions, Watermark::End), expected);
}

#[test]
fn sessions_that_fired_return_their_memory() {
    let mut sessions = Sessions::default();
    let keys: Vec<String> = (0..20_000).map(|key| format!("key {key}")).collect();
    let rows: Vec<(i64, &str)> = keys.iter().map(|key| (5, key.as_str())).collect();
    run_sessions(&mut sessions, TEN, 0, &rows);
    run_sessions(&mut sessions, TEN, 0, &[(90, "last")]);
    assert!(sessions.bytes() > 20_000 * 100, "{}", sessions.bytes());
    assert_eq!(fired(&mut sessions, Watermark::at(EventTime(50))).len(), 20_000);
    assert!(sessions.bytes() < 4_096, "{} bytes for one session", sessions.bytes());
    run_sessions(&mut sessions, TEN, 60, &[(80, "last"), (80, "key 7")]);
    assert_eq!(fired(&mut sessions, Watermark::End).len(), 2);
}

#[test]
fn lateness_a_window_is_corrected_until_it_is_closed_and_only_where_it_changed() {
    let mut state = KeyedState::default();
    let fire = |state: &mut KeyedState, at| {
        rows_of(|each| state.fire(Watermark::at(EventTime(at)), 5, each))
    };
    append(&mut state, &[(1, "a", "1"), (2, "b", "2")], &[]);
    assert_eq!(fire(&mut state, 10), ["0..10 a 1 #0", "0..10 b 2 #0"]);
    append(&mut state, &[(3, "a", "3"), (4, "c", "4"), (5, "b", "5")], &[2]);
    assert_eq!(fire(&mut state, 12), ["0..10 a 13 #1", "0..10 c 4 #0"]);
    assert!(fire(&mut state, 12).is_empty());
    let mut bytes = Vec::new();
    encode(&state, 1, &mut bytes);
    let mut state = KeyedState::default();
    snapshot::decode(&bytes, |row| {
        state.restore(&row);
        Ok(())
    })
    .unwrap();
    append(&mut state, &[(6, "b", "6")], &[]);
    assert_eq!(fire(&mut state, 14), ["0..10 b 26 #1"]);
    append(&mut state, &[(6, "a", "7")], &[]);
    assert_eq!(fire(&mut state, 15), ["0..10 a 137 #2"]);
    assert_eq!(state.groups_len(), 0);
}

#[test]
fn lateness_a_session_that_grows_after_it_fired_fires_again() {
    let mut sessions = Sessions::default();
    let fire = |sessions: &mut Sessions, at| {
        rows_of(|each| sessions.fire(TEN, Watermark::at(EventTime(at)), 20, each))
    };
    run_sessions(&mut sessions, TEN, 0, &[(0, "a"), (15, "a")]);
    assert_eq!(fire(&mut sessions, 12), ["0..10 a 0; #0"]);
    // The row closes the gap between a session that has fired and one that has not.
    run_sessions(&mut sessions, TEN, 12 - 20, &[(8, "a")]);
    assert!(fire(&mut sessions, 13).is_empty());
    assert_eq!(fire(&mut sessions, 25), ["0..25 a 0;15;8; #1"]);
    run_sessions(&mut sessions, TEN, 25 - 20, &[(9, "a")]);
    assert_eq!(fire(&mut sessions, 25), ["0..25 a 0;15;8;9; #2"]);
    assert!(fire(&mut sessions, 44).is_empty());
    assert_eq!(sessions.len(), 1);
    assert!(fire(&mut sessions, 45).is_empty());
    assert!(sessions.is_empty());
}

proptest! {
    #[test]
    fn rule_5_sessions_equal_a_naive_merge_of_all_times(
        times in prop::collection::vec(-100..100i64, 1..60),
        gap in 1..20i64,
        cuts in prop::collection::vec(1..10usize, 0..20),
    ) {
        let rule = SessionRule { gap, max_length: i64::MAX, corrected: false };
        let mut sessions = Sessions::default();
        let mut rows: &[i64] = &times;
        for cut in cuts.into_iter().chain([times.len()]) {
            let (now, then) = rows.split_at(cut.min(rows.len()));
            let now: Vec<(i64, &str)> = now.iter().map(|time| (*time, "a")).collect();
            run_sessions(&mut sessions, rule, i64::MIN, &now);
            rows = then;
        }
        let mut sorted = times.clone();
        sorted.sort_unstable();
        let mut naive: Vec<(i64, i64)> = Vec::new();
        for time in sorted {
            match naive.last_mut() {
                Some((_, end)) if time <= *end => *end = time + gap,
                _ => naive.push((time, time + gap)),
            }
        }
        let mut bounds = Vec::new();
        sessions.fire(rule, Watermark::End, 0, |firing| {
            bounds.extend(firing.bounds.iter().map(|it| (it.start.micros(), it.end.micros())));
        });
        bounds.sort_unstable();
        prop_assert_eq!(bounds, naive);
        prop_assert_eq!(sessions.len(), 0);
    }
}
