//! Rows that are late by themselves and touch an open session from the left: taken, unless the session would cover a closed
//! one of its key, whether that is still there or only remembered.

use super::*;

const RULE: SessionRule = SessionRule { gap: 10, max_length: 60, corrected: true };

/// What the rows of key `a` are late for, with a row a call, each judged by the watermark less the lateness.
fn rows(sessions: &mut Sessions, closed: i64, times: &[i64]) -> Vec<LateForSession> {
    let mut late = Vec::new();
    for time in times {
        let mut call = SessionCall::default();
        match sessions.assign(RULE, row(*time, closed, b"a"), &mut call) {
            Ok(()) => complete(sessions, &mut call, *time),
            Err(missed) => late.push(missed),
        }
    }
    late
}

/// Adds the time of the row of a call to its session.
fn complete(sessions: &mut Sessions, call: &mut SessionCall, time: i64) {
    for round in 0..call.rounds() {
        let mut merge = |left: &Varlen, right: &Varlen| {
            let joined: Vec<Vec<u8>> =
                left.iter().zip(right.iter()).map(|(left, right)| [left, right].concat()).collect();
            let states = joined.iter().map(Vec::as_slice).collect();
            sluicegate_model::refusal::MergeOutcome { states, refusals: Vec::new() }
        };
        call.merge_round(round, &mut merge, |_, _, _, _| panic!("nothing is refused"));
        let now = call.rows_of(round);
        let after: Vec<Vec<u8>> = now
            .states
            .iter()
            .map(|state| [state, format!("{time};").as_bytes()].concat())
            .collect();
        call.put(round, &after.iter().map(Vec::as_slice).collect(), std::iter::empty());
    }
    sessions.settle(call);
}

fn fire(sessions: &mut Sessions, watermark: Watermark, lateness: i64) -> Vec<String> {
    rows_of(|each| sessions.fire(RULE, watermark, lateness, each))
}

fn at(time: i64) -> Watermark {
    Watermark::at(EventTime(time))
}

fn blob(sessions: &Sessions) -> Vec<u8> {
    let mut bytes = Vec::new();
    snapshot::encode(&[snapshot::Stored::Sessions(sessions)], 1, None, &mut bytes);
    bytes
}

/// What comes back from a checkpoint.
fn restored(bytes: &[u8]) -> (Sessions, snapshot::KnownClosed) {
    let mut sessions = Sessions::default();
    let known = snapshot::decode(bytes, |row| {
        match row.is_closed {
            true => sessions.restore_closed(RULE, &row),
            false => sessions.restore(&row),
        }
        Ok(())
    });
    let known = known.unwrap().closed;
    if let snapshot::KnownClosed::From(before) = known {
        sessions.set_unknown_before(before);
    }
    (sessions, known)
}

#[test]
fn rule_5_an_open_session_is_stretched_to_the_left_where_no_closed_one_is() {
    let mut sessions = Sessions::default();
    assert_eq!(rows(&mut sessions, 0, &[30]), []);
    // By itself [22, 32) is closed; the session [30, 40) is not, and has never fired.
    assert_eq!(rows(&mut sessions, 35, &[22]), []);
    // Again from the left, and again.
    assert_eq!(rows(&mut sessions, 35, &[13, 4]), []);
    assert_eq!(fire(&mut sessions, Watermark::End, 5), ["4..40 a 30;22;13;4; #0"]);
}

#[test]
fn rule_5_no_session_is_stretched_over_a_closed_one_that_is_there_or_gone_or_restored() {
    let late = LateForSession { own: window(3, 13), covers: true };
    let begin = || {
        let mut sessions = Sessions::default();
        assert_eq!(rows(&mut sessions, 0, &[5, 40]), []);
        sessions
    };
    let stretch = |mut sessions: Sessions| {
        assert_eq!(rows(&mut sessions, 45, &[32, 23, 14, 6]), []);
        // Next to the closed one, but not over it.
        assert_eq!(rows(&mut sessions, 45, &[3]), [late]);
        let rows = fire(&mut sessions, Watermark::End, 5);
        assert_eq!(rows.last().unwrap(), "6..50 a 40;32;23;14;6; #0");
    };
    stretch(begin());
    let mut sessions = begin();
    assert_eq!(fire(&mut sessions, at(45), 5), ["5..15 a 5; #0"]);
    assert_eq!(sessions.len(), 1, "the closed one is gone");
    let (again, known) = restored(&blob(&sessions));
    assert_eq!(known, snapshot::KnownClosed::From(None));
    stretch(sessions);
    stretch(again);
}

#[test]
fn rule_5_of_what_was_closed_before_it_was_remembered_nothing_is_stretched_over() {
    let mut blob = b"SLGS\x02\x01\0\0\0".to_vec();
    blob.extend(40i64.to_le_bytes());
    blob.extend(50i64.to_le_bytes());
    blob.extend([key_shard(b"a"), 4]);
    // Revisions had 32 bits.
    blob.extend(7u32.to_le_bytes());
    blob.extend(1u32.to_le_bytes());
    blob.push(b'a');
    blob.extend(3u32.to_le_bytes());
    blob.extend(b"40;");
    let (mut sessions, known) = restored(&blob);
    assert_eq!(known, snapshot::KnownClosed::Nothing);
    // The watermark less the lateness, as it stood then.
    sessions.set_unknown_before(Some(EventTime(33)));
    assert_eq!(rows(&mut sessions, 45, &[33]), []);
    assert_eq!(rows(&mut sessions, 45, &[32]).len(), 1);
    // That is remembered, too, as long as it counts.
    let (mut sessions, known) = restored(&self::blob(&sessions));
    assert_eq!(known, snapshot::KnownClosed::From(Some(EventTime(33))));
    assert_eq!(rows(&mut sessions, 45, &[32]).len(), 1);
    assert_eq!(fire(&mut sessions, at(50), 5), ["33..50 a 40;33; #7"]);
    fire(&mut sessions, at(33 + 60 + 5), 5);
    assert_eq!(restored(&self::blob(&sessions)).1, snapshot::KnownClosed::From(None));
}

#[test]
fn closed_sessions_are_forgotten_when_no_session_can_reach_them() {
    let mut sessions = Sessions::default();
    for number in 0..5_000i64 {
        let key = number.to_le_bytes();
        let mut call = SessionCall::default();
        sessions.assign(RULE, row(number % 50, 0, &key), &mut call).unwrap();
        complete(&mut sessions, &mut call, number);
    }
    assert_eq!(fire(&mut sessions, at(70), 5).len(), 5_000);
    assert!(sessions.is_empty() && sessions.bytes() > 5_000 * 32, "{} bytes", sessions.bytes());
    let held = sessions.bytes();
    // The last began at 49 and counts until the watermark less the lateness is 60 further.
    fire(&mut sessions, at(100), 5);
    assert!(sessions.bytes() < held / 3 * 2, "{} bytes of {held}", sessions.bytes());
    fire(&mut sessions, at(49 + 60 + 5), 5);
    assert!(sessions.bytes() < held / 20, "{} bytes for nothing", sessions.bytes());
}

/// All sessions of a key that there ever were, `(start, end)`.
#[derive(Default)]
struct Naive(Vec<(i64, i64)>);

impl Naive {
    /// Whether the row is taken.
    fn take(&mut self, time: i64, closed: i64) -> bool {
        let Self(all) = self;
        all.sort_by_key(|(_, end)| *end);
        let (mut start, mut end, mut parts) = (time, time + RULE.gap, Vec::new());
        while let Some(at) = all.iter().position(|it| {
            let length = end.max(it.1) - start.min(it.0);
            it.1 > closed && it.0 <= end && start <= it.1 && length <= RULE.max_length
        }) {
            let part = all.remove(at);
            (start, end) = (start.min(part.0), end.max(part.1));
            parts.push(part);
        }
        let covers = |it: &(i64, i64)| it.1 <= closed && start <= it.0 && it.1 <= end;
        let is_taken = end > closed && (time + RULE.gap > closed || !all.iter().any(covers));
        match is_taken {
            true => all.push((start, end)),
            false => all.extend(parts),
        }
        is_taken
    }
}

proptest! {
    #[test]
    fn rule_5_verdicts_are_those_of_all_sessions_whatever_is_gone_or_restored(
        steps in prop::collection::vec((0..200i64, 0..90i64, 0..5u8), 1..80),
        lateness in 1..40i64,
    ) {
        let (mut sessions, mut naive) = (Sessions::default(), Naive::default());
        let (mut max, mut fired) = (i64::MIN, Vec::new());
        let mut fire = |sessions: &mut Sessions, watermark| {
            sessions.fire(RULE, watermark, lateness, |firing| {
                fired.extend(firing.bounds.iter().map(|it| (it.start.micros(), it.end.micros())));
            });
        };
        for (ahead, back, then) in steps {
            // Time goes on, and the row comes from somewhere behind.
            let time = if ahead < 20 { max.max(0) + ahead } else { max.max(0) - back };
            let closed = max.saturating_sub(lateness);
            let is_taken = rows(&mut sessions, closed, &[time]).is_empty();
            prop_assert_eq!(is_taken, naive.take(time, closed), "{} closed {}", time, closed);
            max = max.max(time);
            match then {
                0 => fire(&mut sessions, at(max)),
                // Another partition is behind.
                1 => fire(&mut sessions, at(max - 35)),
                2 => sessions = restored(&blob(&sessions)).0,
                _ => {}
            }
        }
        fire(&mut sessions, Watermark::End);
        for bounds in naive.0 {
            prop_assert!(fired.contains(&bounds), "{bounds:?} is not among {fired:?}");
        }
    }
}
