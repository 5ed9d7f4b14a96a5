//! What work grows with: counted, because no machine is as fast as another.

use super::*;
use crate::window::looks::LOOKS;
use crate::window::sliding::Progress;
use sluicegate_model::refusal::MergeOutcome;

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
        let fired = rows_of(|each| sessions.fire(rule, watermark, 0, each));
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
                let place = Place { bounds: slides.pane(EventTime(time)).bounds(), skipped };
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
            assert_eq!(SlideTables::next_end(&slides, &state, watermark), Some(EventTime(1_001)));
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

/// What sessions are by the rule, looking at all of them for every row. Ascending by end.
#[derive(Default)]
struct AllSessions(Vec<(i64, i64)>);

impl AllSessions {
    /// Whether the row is late.
    fn assign(&mut self, rule: SessionRule, time: i64, watermark: i64) -> bool {
        let own = (time, time + rule.gap);
        let (mut whole, mut joined) = (own, Vec::new());
        let open: Vec<usize> = (0..self.0.len()).filter(|at| self.0[*at].1 > watermark).collect();
        loop {
            let both = |at: usize| (whole.0.min(self.0[at].0), whole.1.max(self.0[at].1));
            let joins = |at: &&usize| {
                let (start, end) = self.0[**at];
                let touches = start <= whole.1 && whole.0 <= end;
                touches && both(**at).1 - both(**at).0 <= rule.max_length && !joined.contains(*at)
            };
            let Some(at) = open.iter().find(joins).copied() else { break };
            whole = both(at);
            joined.push(at);
        }
        if own.1 <= watermark && joined.is_empty() {
            return true;
        }
        let mut at = 0..;
        self.0.retain(|_| !joined.contains(&at.next().unwrap()));
        let place = self.0.partition_point(|session| session.1 < whole.1);
        self.0.insert(place, whole);
        false
    }
}

proptest! {
    /// Rows of two partitions, judged by watermarks of their own, so that sessions may come to lie in others.
    #[test]
    fn rule_5_looking_at_few_sessions_finds_those_that_looking_at_all_finds(
        rows in prop::collection::vec((0..120i64, any::<bool>()), 1..60),
        gap in 1..10i64,
        more in 0..30i64,
        ahead in 0..60i64,
    ) {
        let rule = SessionRule { gap, max_length: gap + more, corrected: false };
        let (mut few, mut all) = (Sessions::default(), AllSessions::default());
        for (time, is_ahead) in rows {
            let watermark = if is_ahead { ahead } else { 0 };
            let late = run_sessions(&mut few, rule, watermark, &[(time, "a")]);
            prop_assert_eq!(!late.is_empty(), all.assign(rule, time, watermark));
        }
        let mut bounds = Vec::new();
        few.fire(rule, Watermark::End, 0, |firing| {
            bounds.extend(firing.bounds.iter().map(|it| (it.start.micros(), it.end.micros())));
        });
        bounds.sort_unstable();
        all.0.sort_unstable();
        prop_assert_eq!(bounds, all.0);
    }

    /// What is counted as windows change is what one would count who looks at each.
    #[test]
    fn what_windows_hold_is_counted_as_they_change(
        steps in prop::collection::vec((0..80i64, 0..9u8, 0..6u8), 1..40),
    ) {
        let mut state = KeyedState::default();
        let mut now = i64::MIN;
        for (time, key, what) in steps {
            match what {
                0 => {
                    now = now.max(time);
                    state.fire(Watermark::at(EventTime(now)), 15, |_| {});
                }
                1 => {
                    let mut bytes = Vec::new();
                    encode(&state, 1, &mut bytes);
                    state = KeyedState::default();
                    snapshot::decode(&bytes, |row| {
                        state.restore(&row);
                        Ok(())
                    })
                    .unwrap();
                }
                // Of a row that is not late for its window.
                _ if time.div_euclid(10) * 10 + 25 > now => {
                    let text = "text".repeat(usize::from(what) * 40);
                    append(&mut state, &[(time, &key.to_string(), &text)], &[]);
                }
                _ => {}
            }
            let groups: usize = state.windows().iter().map(|window| window.groups.len()).sum();
            prop_assert_eq!(state.groups_len(), groups);
            let bytes: usize = state.windows().iter().map(|window| window.groups.bytes()).sum();
            // Lists of changed groups are counted with the next row.
            prop_assert!(state.bytes().abs_diff(bytes) <= 64 * groups + 64, "{} {bytes}", state.bytes());
        }
    }
}
