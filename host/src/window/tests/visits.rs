//! What work grows with: counted, because no machine is as fast as another.

use super::*;
use crate::plugin::outcome::MergeOutcome;
use crate::window::looks::LOOKS;
use crate::window::sliding::Progress;

/// How many sessions are looked at while so many of one key are made, out of order, and joined pair by pair.
fn looks(count: i64) -> u64 {
    let rule = SessionRule { gap: 10, max_length: i64::MAX, corrected: true };
    let mut sessions = Sessions::default();
    LOOKS.set(0);
    // 7 has no part in the counts: every start comes once.
    let starts: Vec<i64> = (0..count).map(|n| n * 7 % count * 30).collect();
    let others = starts.iter().map(|start| start + 10);
    let between = starts.iter().filter(|start| *start % 60 == 0).map(|start| start + 20);
    let times: Vec<i64> = starts.iter().copied().chain(others).chain(between).collect();
    for times in times.chunks(64) {
        let rows: Vec<(i64, &str)> = times.iter().map(|time| (*time, "a")).collect();
        assert_eq!(run_sessions(&mut sessions, rule, i64::MIN, &rows), []);
    }
    assert_eq!(sessions.len(), count as usize / 2);
    // A late row asks for what is closed, and the watermark closes one after the other.
    for pair in 0..count / 2 {
        let watermark = Watermark::at(EventTime(pair * 60 + 50));
        let fired = rows_of(|each| sessions.fire(rule, (watermark, 0), each));
        assert_eq!(fired.len(), 1, "{pair}");
    }
    LOOKS.get()
}

#[test]
fn joining_sessions_of_a_key_grows_with_the_rows_and_not_with_their_square() {
    let (few, many) = (looks(200), looks(3_200));
    assert!(few > 200, "they are counted");
    assert!(many < few * 16 * 2, "{few} looks for 200 sessions, {many} for 3200");
}

/// Nothing is due: windows and panes that are open are not looked at, however many there are.
#[test]
fn a_step_in_which_nothing_is_due_looks_at_no_open_window() {
    let slides = Slides::new(1_000, 1, 0);
    let looks = |panes: i64| {
        let mut state = KeyedState::default();
        let mut touched = Touched::default();
        let watermark = Watermark::at(EventTime(1_000));
        for time in 1_000..1_000 + panes {
            state.begin(&mut touched);
            // A row of its own time, and one that is late for some of its windows.
            for skipped in [0, 1] {
                let place = Place { bounds: slides.pane(time).bounds(), skipped };
                state.touch(place, TableHash::of(b"a"), b"a", &mut touched);
            }
            state.gather(&mut touched);
            let states: Varlen = [&b"1"[..], b"2"].into_iter().collect();
            state.scatter(&touched, &states, std::iter::empty());
        }
        let mut tables = SlideTables::default();
        let mut step = || {
            let progress =
                Progress { before: watermark, now: watermark, lateness: 500, tells_closed: true };
            let mut merge = |left: &Varlen, _: &Varlen| MergeOutcome {
                states: left.clone(),
                refusals: Vec::new(),
            };
            if SlideTables::has_corrections(&slides, &state, watermark) {
                tables.fire(&slides, &mut state, progress, &mut merge, |_, _, _| {});
            }
            assert_eq!(SlideTables::next_end(&slides, &state, watermark), Some(1_001));
            assert_eq!(state.groups_len(), 2 * panes as usize);
            assert!(state.bytes() + tables.bytes() > 0);
        };
        // What is to be settled once is settled.
        step();
        LOOKS.set(0);
        step();
        LOOKS.get()
    };
    assert_eq!(looks(10), looks(2_000));
}
