//! State blobs that were changed anywhere: refused, or restored as something that can be gone on with. Never a panic.

use super::*;
use crate::window::key::is_key;
use crate::window::sliding::Progress;
use crate::window::snapshot::Stored;
use sluicegate_model::refusal::MergeOutcome;

/// Bytes in a place of a blob.
#[derive(Clone, Debug)]
enum Change {
    Byte(prop::sample::Index, u8),
    Long(prop::sample::Index, i64),
    Cut(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    let long =
        prop::sample::select(&[i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX][..]);
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        4 => (at(), long).prop_map(|(at, long)| Change::Long(at, long)),
        1 => at().prop_map(Change::Cut),
        1 => (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
    ]
}

fn apply(change: &Change, bytes: &mut Vec<u8>) {
    match change {
        Change::Byte(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Change::Long(at, long) => {
            let at = at.index(bytes.len());
            let room = bytes.len().min(at + 8) - at;
            bytes[at..at + room].copy_from_slice(&long.to_le_bytes()[..room]);
        }
        // The header stays: behind another one nothing is looked at. It may be all that an earlier cut has left.
        Change::Cut(at) => bytes.truncate(13 + at.index(bytes.len() - 12)),
        Change::Swap(one, other) => {
            let (one, other) = (one.index(bytes.len()), other.index(bytes.len()));
            bytes.swap(one, other);
        }
    }
}

fn key(text: &str) -> Vec<u8> {
    let mut keys = Varlen::default();
    let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
    key::encode(&[column], RowSelection::All(1), &mut keys);
    keys.value(0).to_vec()
}

/// Open groups of sliding windows, some of which have fired, and sessions, open and closed.
fn blob(slides: &Slides) -> Vec<u8> {
    let mut state = KeyedState::default();
    let mut touched = Touched::default();
    state.begin(&mut touched);
    for (time, name) in [(1, "a"), (-12, "b"), (3, "b"), (25, "a")] {
        let key = key(name);
        let bounds = slides.pane(EventTime(time)).bounds();
        state.touch(Place { bounds, skipped: 0 }, TableHash::of(&key), &key, &mut touched);
    }
    state.gather(&mut touched);
    let states = touched.states.iter().map(|_| &b"12345678"[..]).collect();
    state.scatter(&touched, &states, std::iter::empty());
    slide(slides, &mut state, Watermark::None, Watermark::at(EventTime(12)));
    let mut sessions = Sessions::default();
    for (start, is_closed) in [(0, false), (40, false), (-30, true)] {
        let key = key("a");
        let row = StateRow {
            generation: 1,
            place: Place { bounds: window(start, start + 10), skipped: 0 },
            revision: 1,
            is_empty: false,
            is_settled: false,
            is_pending: false,
            is_fired: false,
            is_closed,
            is_gone: false,
            shard: key_shard(&key),
            key: &key,
            state: b"12345678",
        };
        match is_closed {
            true => sessions.restore_closed(RULE, &row),
            false => sessions.restore(&row),
        }
    }
    let mut bytes = Vec::new();
    snapshot::encode(&[Stored::Windows(&state), Stored::Sessions(&sessions)], 1, None, &mut bytes);
    bytes
}

const RULE: SessionRule = SessionRule { gap: 10, max_length: 60, corrected: true };

fn slide(slides: &Slides, state: &mut KeyedState, before: Watermark, now: Watermark) {
    let progress = Progress { before, now, lateness: 20, tells_closed: true };
    let mut merge =
        |left: &Varlen, _: &Varlen| MergeOutcome { states: left.clone(), refusals: Vec::new() };
    SlideTables::default().fire(slides, state, progress, &mut merge, |_, _, _| {});
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_changed_blob_is_refused_or_gone_on_with(
        changes in prop::collection::vec(change(), 1..4),
        watermark in prop::sample::select(&[i64::MIN, -5, 12, 31, i64::MAX][..]),
    ) {
        let slides = Slides::new(20, 10, 0);
        let mut bytes = blob(&slides);
        for change in &changes {
            apply(change, &mut bytes);
        }
        let fields = [Arc::new(Field::new("key", DataType::Utf8, true))];
        let (mut state, mut sessions) = (KeyedState::default(), Sessions::default());
        let decoded = snapshot::decode(&bytes, |row| {
            if !is_key(&fields, row.key) {
                return Err("a key");
            }
            key::decode(&fields, std::iter::once(row.key));
            match (row.is_closed, row.is_fired) {
                (true, _) => sessions.restore_closed(RULE, &row),
                (false, true) => state.restore_fired(&slides, &row),
                (false, false) => {
                    state.restore(&row);
                    sessions.restore(&row);
                }
            }
            Ok(())
        });
        if let Ok(snapshot::Header { closed: snapshot::KnownClosed::From(before), .. }) = decoded {
            sessions.set_unknown_before(before);
        }
        let key = key("a");
        let mut call = SessionCall::default();
        for time in [i64::MIN, 0, 35, i64::MAX] {
            let _late = sessions.assign(RULE, row(time, watermark, &key), &mut call);
        }
        sessions.settle(&mut call);
        let now = Watermark::at(EventTime(watermark));
        sessions.fire(RULE, now, 20, |_| {});
        slide(&slides, &mut state, Watermark::at(EventTime(3)), now);
        slide(&slides, &mut state, now, Watermark::End);
        let mut again = Vec::new();
        snapshot::encode(&[Stored::Windows(&state), Stored::Sessions(&sessions)], 1, None, &mut again);
        sessions.fire(RULE, Watermark::End, 20, |_| {});
    }

    #[test]
    fn bytes_that_are_a_key_can_be_decoded(
        bytes in prop::collection::vec(prop_oneof![Just(0), Just(1), Just(3), any::<u8>()], 0..24),
        kinds in prop::collection::vec(0..6_usize, 1..4),
    ) {
        let types = [DataType::Utf8, DataType::Binary, DataType::Boolean, DataType::Date32, DataType::Int64, DataType::Decimal128(38, 2)];
        let field = |kind: usize| Arc::new(Field::new(kind.to_string(), types[kind].clone(), true));
        let fields: Vec<_> = kinds.into_iter().map(field).collect();
        if is_key(&fields, &bytes) {
            key::decode(&fields, std::iter::once(&bytes[..]));
        }
    }
}
