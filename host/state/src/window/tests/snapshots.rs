//! Blobs as older versions of the program wrote them, byte by byte.

use super::*;
use crate::Merging;
use crate::sections::Sections;
use crate::shards::Shards;
use crate::window::resolve::resolve;
use crate::window::row::{Place, StateRow};
use crate::window::snapshot::{FiredGroups, FiredSoFar, Header, KnownClosed, Stored};

/// What version 1 had of a group: no flags.
fn row(start: i64, key: &[u8], state: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&3u32.to_le_bytes());
    bytes.extend_from_slice(&start.to_le_bytes());
    bytes.extend_from_slice(&(start + 10).to_le_bytes());
    bytes.push(key_shard(key));
    for part in [key, state] {
        bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[test]
fn version_1_is_read() {
    let mut blob = b"SLGS\x01".to_vec();
    blob.extend(row(-20, b"a", b"1;"));
    blob.extend(row(10, b"a", b"2;3;"));
    blob.extend(row(10, b"", b""));
    // One of them in plain sight: generation 3, from -20 to -10, and the shard of `a`.
    let plain = b"\x03\0\0\0\xec\xff\xff\xff\xff\xff\xff\xff\xf6\xff\xff\xff\xff\xff\xff\xff\xe6\x01\0\0\0a\x02\0\0\x001;";
    assert_eq!(&blob[5..5 + plain.len()], plain);
    let mut state = KeyedState::default();
    let mut rows = 0;
    snapshot::decode(&blob, |row| {
        assert_eq!((row.generation, row.revision, row.place.skipped), (3, 0, 0));
        assert!(!row.is_empty && !row.is_settled && !row.is_pending && !row.is_fired);
        state.restore(&row);
        rows += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(rows, 3);
    assert_eq!(dump(state.windows()), ["-20 a 1;", "10 a 2;3;", "10  "]);
    // Rows are added to it and it fires like what this version wrote.
    append(&mut state, &[(12, "a", "4;")], &[]);
    let fired = rows_of(|each| state.fire(Watermark::End, 0, each));
    assert_eq!(fired, ["-20..-10 a 1; #0", "10..20   #0", "10..20 a 2;3;4; #0"]);
}

#[test]
fn a_cut_blob_of_version_1_and_versions_to_come_are_refused() {
    let mut blob = b"SLGS\x01".to_vec();
    blob.extend(row(0, b"a", b"1"));
    for length in (0..blob.len()).filter(|length| *length != 5) {
        assert!(snapshot::decode(&blob[..length], |_| Ok(())).is_err(), "cut at {length}");
    }
    for version in [0, 7] {
        blob[4] = version;
        assert!(snapshot::decode(&blob, |_| Ok(())).is_err(), "version {version}");
    }
}

/// `start end skipped revision flags accumulator`, flags by their letters.
fn told(row: &StateRow<'_>) -> String {
    let Place { bounds, skipped } = row.place;
    let flags = [
        (row.is_empty, 'e'),
        (row.is_settled, 's'),
        (row.is_pending, 'p'),
        (row.is_fired, 'f'),
        (row.is_closed, 'c'),
    ];
    let flags: String = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).collect();
    let state = str::from_utf8(row.state).unwrap();
    let (start, end) = (bounds.start.micros(), bounds.end.micros());
    format!("{start} {end} {skipped} {} {flags} {state}", row.revision)
}

/// Recorded with what wrote them: version 2 by 9f7e56b9, versions 3 and 4 by f02b3186 (`push` in
/// `host/src/window/snapshot.rs`). Each has a row for every flag of its time.
#[test]
fn blobs_of_versions_2_to_4_are_read() {
    let common = ["10 20 0 0  2;", "20 30 1 0  3;", "40 50 0 0 e ", "60 70 0 3 s 4;"];
    let known = KnownClosed::From(Some(EventTime(-5)));
    let cases: [(&[u8], &[&str], Header); 3] = [
        (include_bytes!("older/state_2.bin"), &["0 10 0 2 f ", "80 90 0 1 p 5;"], Header::NOTHING),
        (
            include_bytes!("older/state_3.bin"),
            &["0 10 0 5000000000 f ", "80 90 0 1 p 5;", "33 33 0 0 c "],
            Header { closed: known, ..Header::NOTHING },
        ),
        (
            include_bytes!("older/state_4.bin"),
            &["0 10 0 5000000000 f ", "80 90 0 1 p 5;", "33 33 0 0 c "],
            Header { closed: known, fired: Some(Watermark::At(EventTime(30))), ..Header::NOTHING },
        ),
    ];
    for (blob, more, expected) in cases {
        let mut rows = Vec::new();
        let header = snapshot::decode(blob, |row| {
            assert_eq!((row.generation, row.key, row.shard), (3, &b"a"[..], key_shard(b"a")));
            rows.push(told(&row));
            Ok(())
        });
        assert_eq!(header.unwrap(), expected);
        assert_eq!(rows, [&common, more].concat());
    }
}

/// What stands at the place of the last that fired, or before it, in whatever piece.
#[test]
fn groups_that_have_fired_for_good_are_gone_from_all_pieces() {
    let mut state = KeyedState::firing_once();
    append(&mut state, &[(5, "a", "1"), (5, "b", "2"), (5, "c", "3"), (15, "a", "4")], &[]);
    let mut base = Vec::new();
    encode(&state, 1, &mut base);
    state.set_saved();
    let size = RunSize { groups: 2, sorted: 100 };
    let NextRun::To(last) = state.next_run(|place| place.bounds.end.0 <= 10, size) else {
        panic!()
    };
    assert_eq!(state.fire_run(Some(&last)).len(), 2);
    let delta = |for_good| {
        let groups = FiredGroups { last: last.clone(), for_good };
        let fired = FiredSoFar { windows: Some(Watermark::None), groups: Some(&groups) };
        let mut sections = Sections::default();
        snapshot::delta_rows(Stored::Windows(&state), 1, Shards::of(|_| true), &mut sections);
        assert!(sections.into_vec().is_empty(), "what has fired need not be stored");
        snapshot::delta_header(&[Stored::Windows(&state)], fired)
    };
    // Version, a delta, closed sessions, cut at the first moment, not of sessions, none forgotten; for good, 0 to 10, `b`.
    let plain = b"SLGS\x06\x01\0\0\0\0\0\0\0\x80\x01\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0\x80\
        \x01\0\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\x01\0\0\0b";
    assert_eq!(delta(true), plain);
    let rows = |pieces: &[Vec<u8>]| {
        let mut rows = Vec::new();
        let each = |row: StateRow<'_>| {
            rows.push(String::from_utf8_lossy(row.state).into_owned());
            Ok(())
        };
        resolve(pieces, |_| true, each).unwrap();
        rows.sort();
        rows
    };
    assert_eq!(rows(&[base.clone(), delta(false)]), ["1", "2", "3", "4"]);
    assert_eq!(rows(&[base.clone(), delta(true)]), ["3", "4"]);
    let deltas = [delta(true)];
    let (merging, sections) = Merging::of(&deltas).unwrap();
    assert!(sections.is_empty());
    let merged = [merging.header(), merging.base(&base).unwrap().concat()].concat();
    assert_eq!(snapshot::read_header(&merged).unwrap().groups.unwrap().last, last);
    assert_eq!(rows(&[merged]), ["3", "4"]);
    for length in 5..plain.len() {
        assert!(snapshot::read_header(&plain[..length]).is_err(), "cut at {length}");
    }
}

/// Sections may become pieces, and the sessions of a key in one piece stand over those in the pieces before.
#[test]
fn the_sessions_of_a_key_lie_in_one_section_of_a_delta() {
    let mut sessions = Sessions::default();
    let large = vec![7; 3 << 20];
    for start in 0..4 {
        let bounds =
            WindowBounds { start: EventTime(start * 100), end: EventTime(start * 100 + 10) };
        let place = Place { bounds, skipped: 0 };
        sessions.restore(&StateRow { place, key: b"k", state: &large, ..stored::PLAIN });
    }
    sessions.note_unsaved(0);
    let mut sections = Sections::default();
    let shards = Shards::of(|_| true);
    snapshot::delta_rows(Stored::Sessions(&sessions), 1, shards, &mut sections);
    assert_eq!(sections.into_vec().len(), 1);
}
