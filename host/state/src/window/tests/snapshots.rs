//! Blobs as older versions of the program wrote them, byte by byte.

use super::*;
use crate::window::row::{Place, StateRow};
use crate::window::snapshot::{Header, KnownClosed};

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
    for version in [0, 6] {
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
        (
            include_bytes!("older/state_2.bin"),
            &["0 10 0 2 f ", "80 90 0 1 p 5;"],
            Header { closed: KnownClosed::Nothing, fired: None, delta: None },
        ),
        (
            include_bytes!("older/state_3.bin"),
            &["0 10 0 5000000000 f ", "80 90 0 1 p 5;", "33 33 0 0 c "],
            Header { closed: known, fired: None, delta: None },
        ),
        (
            include_bytes!("older/state_4.bin"),
            &["0 10 0 5000000000 f ", "80 90 0 1 p 5;", "33 33 0 0 c "],
            Header { closed: known, fired: Some(Watermark::At(EventTime(30))), delta: None },
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
