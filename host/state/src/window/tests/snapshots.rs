//! Blobs as older versions of the program wrote them, byte by byte.

use super::*;

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
    for version in [0, 5] {
        blob[4] = version;
        assert!(snapshot::decode(&blob, |_| Ok(())).is_err(), "version {version}");
    }
}
