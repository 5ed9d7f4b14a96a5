//! Windows, keys and groups, each by its rule.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};
use proptest::prelude::*;

use super::*;
use crate::config::WindowKind;
use crate::plugin::WindowBounds;
use crate::time::{EventTime, Watermark};
use crate::varlen::Varlen;

fn tumbling(size: i64, offset: i64) -> WindowAssigner {
    WindowAssigner::new(WindowKind::Tumbling { size, offset })
}

fn cut(start: i128, end: i128) -> WindowBounds {
    let cut = |time: i128| time.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    WindowBounds { start: cut(start), end: cut(end) }
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
        let windows = WindowAssigner::new(WindowKind::Sliding { size, slide, offset });
        let (exact, size_, slide_) = (i128::from(time), i128::from(size), i128::from(slide));
        // From the last slide boundary down while the window still contains the time.
        let last = exact - (exact - i128::from(offset)).rem_euclid(slide_);
        let starts = std::iter::successors(Some(last), |start| Some(start - slide_));
        let starts = starts.take_while(|start| start + size_ > exact);
        let mut expected: Vec<_> = starts.map(|start| cut(start, start + size_)).collect();
        expected.reverse();
        prop_assert_eq!(windows.windows(time).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rule_8_all_times_of_a_pane_lie_in_the_same_windows(
        time in time(), size in length(), slide in length(), offset in 0..i64::MAX, part in 0..1000i128,
    ) {
        let slides = Slides::new(size, slide, offset % slide);
        let pane = slides.pane(time);
        prop_assert!(pane.contains(time));
        let WindowBounds { start, end } = pane.bounds();
        let other = i128::from(start) + (i128::from(end) - i128::from(start) - 1) * part / 999;
        prop_assert_eq!(slides.pane_at(other as i64), slides.pane_at(time));
        let before = start.checked_sub(1).map(|before| slides.pane_at(before));
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
        let windows = WindowAssigner::new(WindowKind::Sliding { size, slide, offset: offset % slide });
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
        let bounds: Vec<_> = windows.windows(time as i64).collect();
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
fn nan_keys_are_one_key_and_so_are_the_zeros() {
    let other_nan = f64::from_bits(f64::NAN.to_bits() | 1);
    let column: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN, other_nan, 0.0, -0.0, 1.0]));
    let mut keys = Varlen::default();
    key::encode(&[column], RowSelection::All(5), &mut keys);
    assert_eq!(keys.value(0), keys.value(1));
    assert_eq!(keys.value(2), keys.value(3));
    assert_ne!(keys.value(3), keys.value(4));
}

/// One call that appends each row's text to the accumulator of its group.
fn append(state: &mut KeyedState, rows: &[(i64, &str, &str)], refused: &[u32]) {
    let windows = tumbling(10, 0);
    let mut touched = Touched::default();
    state.begin(&mut touched);
    for (time, key, _) in rows {
        let place = Place { bounds: windows.windows(*time).next().unwrap(), skipped: 0 };
        state.touch(place, key_hash(key.as_bytes()), key.as_bytes(), &mut touched);
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

fn dump(windows: &[state::OpenWindow]) -> Vec<String> {
    let row = |window: &state::OpenWindow, id| {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        format!(
            "{} {} {}",
            window.place.bounds.start,
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
    assert!(state.fire(Watermark::at(EventTime(9))).is_empty());
    assert_eq!(dump(&state.fire(Watermark::at(EventTime(10)))), ["0 a 1"]);
    assert_eq!(dump(&state.fire(Watermark::END)), ["10 a 2"]);
    assert_eq!(state.groups_len(), 0);
}

#[test]
fn changed_groups_are_given_once_and_in_parts() {
    let mut state = KeyedState::default();
    append(&mut state, &[(1, "a", "1"), (2, "b", "2")], &[]);
    let groups = &mut state.windows_mut()[0].groups;
    assert_eq!(groups.take_changed(1), [0]);
    assert_eq!(groups.take_changed(9), [1]);
    assert!(groups.take_changed(9).is_empty());
    append(&mut state, &[(1, "b", "1")], &[]);
    assert_eq!(state.windows_mut()[0].groups.take_changed(9), [1]);
}

#[test]
fn growing_accumulators_do_not_keep_the_room_they_left() {
    let mut table = groups::GroupTable::default();
    let id = table.find_or_insert(1, b"key");
    for length in 1..2_000 {
        table.set_state(id, &vec![7; length]);
    }
    assert_eq!(table.state(id), vec![7; 1_999]);
    assert!(table.bytes() < 64_000, "{} bytes for one accumulator of 2 kB", table.bytes());
}

#[test]
fn a_snapshot_gives_back_every_group() {
    let mut state = KeyedState::default();
    append(&mut state, &[(1, "a", "1"), (-12, "a", "2"), (3, "b", "")], &[]);
    let mut bytes = Vec::new();
    assert_eq!(snapshot::encode(std::iter::once(&state), 3, &mut bytes), 3);
    let mut restored = KeyedState::default();
    snapshot::decode(&bytes, |row| {
        assert_eq!((row.generation, row.shard), (3, key_shard(key_hash(row.key))));
        restored.restore(&row);
    })
    .unwrap();
    assert_eq!(dump(restored.windows()), dump(state.windows()));
    assert_eq!(restored.windows()[0].place.bounds, WindowBounds { start: -20, end: -10 });
}

#[test]
fn a_damaged_snapshot_is_refused_at_every_length() {
    let mut state = KeyedState::default();
    append(&mut state, &[(1, "a", "1")], &[]);
    let mut bytes = Vec::new();
    snapshot::encode(std::iter::once(&state), 0, &mut bytes);
    for length in (0..bytes.len()).filter(|length| *length != 5) {
        assert!(snapshot::decode(&bytes[..length], |_| {}).is_err(), "cut at {length}");
    }
}
