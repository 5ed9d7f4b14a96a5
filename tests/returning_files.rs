//! A watched file that is removed once it was read, while the host starts again, and comes back: nothing new in it is lost
//! without a word.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::host::{Host, ended, sluicegate};
use crate::harness::place::Place;
use crate::harness::table::rows;
use crate::harness::{PATIENCE, eventually};

const PIPELINE: &str = r#"
name = "returning"
[source]
type = "files"
[source.files]
path = "in"
watch = "100ms"
[schema]
n = "int64"
ts = "timestamp(s)"
[event_time]
column = "ts"
max_out_of_orderness = "2h"
[[sinks]]
id = "rows"
type = "parquet"
path = "PLACE/rows"
[checkpoint]
interval = "200ms"
path = "PLACE/chain"
"#;

fn pipeline(place: &Place) -> PathBuf {
    let file = place.folder.path().join("returning.toml");
    fs::write(&file, PIPELINE.replace("PLACE", &place.url)).unwrap();
    file
}

/// Puts a file of these numbers in its place at once.
fn put(place: &Place, name: &str, numbers: Range<i64>) {
    let folder = place.folder.path().join("in");
    fs::create_dir_all(&folder).unwrap();
    let mut text = String::new();
    for n in numbers {
        writeln!(text, "{{\"n\":{n},\"ts\":{}}}", 1_795_820_400 + n).unwrap();
    }
    let mut bytes = text.into_bytes();
    if Path::new(name).extension().is_some_and(|ending| ending == "gz") {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).unwrap();
        bytes = encoder.finish().unwrap();
    }
    let staged = place.folder.path().join("staged");
    fs::write(&staged, bytes).unwrap();
    fs::rename(staged, folder.join(name)).unwrap();
}

/// Waits until exactly these numbers are in the table.
fn holds(place: &Place, numbers: impl Iterator<Item = i64>) {
    let mut expected: Vec<_> = numbers.map(|n| n.to_string()).collect();
    expected.sort();
    eventually("the rows", || (rows(place, "rows", &["n"]) == expected).then_some(()));
}

/// A host that goes on after this file was read whole and removed, and that has read another one since.
fn gone(place: &Place, file: &Path, name: &str) -> Host {
    put(place, name, 0..100);
    let host = Host::run(place, file);
    holds(place, 0..100);
    host.stop();
    fs::remove_file(place.folder.path().join("in").join(name)).unwrap();
    let host = Host::run(place, file);
    put(place, "b.json", 1_000..1_010);
    holds(place, (0..100).chain(1_000..1_010));
    host
}

#[test]
fn a_file_that_comes_back_with_more_is_read_on() {
    for name in ["a.json", "a.json.gz"] {
        let place = Place::local();
        let file = pipeline(&place);
        let host = gone(&place, &file, name);
        put(&place, name, 0..120);
        holds(&place, (0..120).chain(1_000..1_010));
        host.stop();
        // Nor is it doubled by the next start.
        let host = Host::run(&place, &file);
        put(&place, "c.json", 2_000..2_001);
        holds(&place, (0..120).chain(1_000..1_010).chain(2_000..2_001));
        host.stop();
    }
}

#[test]
fn a_file_that_comes_back_as_another_halts_the_pipeline_by_name() {
    for name in ["a.json", "a.json.gz"] {
        let place = Place::local();
        let file = pipeline(&place);
        let mut host = gone(&place, &file, name);
        put(&place, name, 5_000..5_500);
        let status = host.daemon.wait(PATIENCE).unwrap();
        assert!(!status.success(), "{status}");
        let log = host.log();
        for words in [&format!("in/{name}"), "does not begin as it did when it was read"] {
            assert!(log.contains(words), "{words}: {log}");
        }
        holds(&place, (0..100).chain(1_000..1_010));
    }
}

/// Half of its last line was there, so that nobody knows what it would have said.
#[test]
fn check_says_of_a_file_that_is_gone_half_read_that_a_start_would_halt() {
    let place = Place::local();
    let file = pipeline(&place);
    put(&place, "a.json", 0..100);
    let path = place.folder.path().join("in/a.json");
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"n\":").unwrap();
    let host = Host::run(&place, &file);
    holds(&place, 0..100);
    host.stop();
    let check = || ended(sluicegate(&place).arg("check").arg(&file));
    assert!(check().status.success(), "{:?}", check());
    fs::remove_file(&path).unwrap();
    put(&place, "b.json", 1_000..1_010);
    let refused = check();
    let words = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{words}");
    assert!(words.contains("a start would halt") && words.contains("in/a.json"), "{words}");
    let mut host = Host::run(&place, &file);
    assert!(!host.daemon.wait(PATIENCE).unwrap().success());
    assert!(host.log().contains("is not among the files of"), "{}", host.log());
}
