//! Files that grow, change, are packed, finished, many: what is read of them, and what is said.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use super::{Folder, lines};
use crate::source::files::TRACKS_OPEN_MAX;
use crate::source::tests::{Fixture, Records, absorb, assert_same, genesis, limits, read_on};
use crate::source::{Source, SourceError};
use sluicegate_chain::finished::FinishedFiles;
use sluicegate_model::position::Positions;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::FileOrder;

pub(super) fn watched(files: &[(&str, &str)]) -> Folder {
    let mut folder = Folder::new(files);
    folder.config.watch = Some(Duration::from_millis(20));
    folder
}

pub(super) fn append(folder: &Folder, name: &str, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(folder.path(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Polls until so many records are there.
pub(super) fn read_until(
    source: &mut dyn Source,
    count: usize,
    records: &mut Records,
    positions: &mut Positions,
) {
    while records.values().map(Vec::len).sum::<usize>() < count {
        absorb(&source.poll(&limits(1000)).unwrap(), records, positions);
    }
}

fn fails(source: &mut dyn Source) -> SourceError {
    loop {
        if let Err(error) = source.poll(&limits(1000)) {
            return error;
        }
    }
}

#[test]
fn a_half_written_line_waits_for_its_end() {
    for order in [FileOrder::Parallel, FileOrder::Sequential] {
        let mut folder = watched(&[("a.ndjson", "{\"n\":1}\n{\"n\"")]);
        folder.config.order = order;
        let mut source = folder.source();
        let mut positions = genesis(source.as_mut());
        source.assign(&positions).unwrap();
        let mut records = Records::new();
        read_on(source.as_mut(), &limits(100), &mut records, &mut positions);
        assert_eq!(records.values().map(Vec::len).sum::<usize>(), 1, "{order:?}");
        append(&folder, "a.ndjson", ":2}\n{\"n\":3}\n");
        read_until(source.as_mut(), 3, &mut records, &mut positions);
        folder.write("b.ndjson", "{\"n\":4}\n");
        read_until(source.as_mut(), 4, &mut records, &mut positions);
        assert_same(&records, &folder.records());

        // Growth that nobody saw is read after a restart.
        append(&folder, "b.ndjson", "{\"n\":5}\n");
        let mut source = folder.source();
        source.assign(&positions).unwrap();
        read_until(source.as_mut(), 5, &mut records, &mut positions);
        assert_same(&records, &folder.records());
    }
}

#[test]
fn a_bounded_run_reads_what_was_there_when_it_was_listed() {
    let folder = Folder::new(&[("a.ndjson", "{\"n\":1}\n{\"n\":2")]);
    let mut source = folder.source();
    let mut positions = genesis(source.as_mut());
    append(&folder, "a.ndjson", "2}\n{\"n\":3}\n");
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    read_on(source.as_mut(), &limits(100), &mut records, &mut positions);
    assert_eq!(records[&folder.partition("a.ndjson")], [(0, b"{\"n\":1}".to_vec())]);
    assert!(source.progress()[0].ended);
}

#[test]
fn another_file_under_the_same_name_halts() {
    for (now, what) in
        [(lines(500, 600), "does not begin as it did"), (lines(0, 10), "must not become shorter")]
    {
        let folder = watched(&[("a.ndjson", &lines(0, 50))]);
        let mut source = folder.source();
        let mut positions = genesis(source.as_mut());
        source.assign(&positions).unwrap();
        read_until(source.as_mut(), 50, &mut Records::new(), &mut positions);
        folder.write("a.ndjson", &now);
        let lost = fails(source.as_mut());
        assert!(matches!(lost, SourceError::Lost(_)) && lost.to_string().contains(what), "{lost}");
        // Also if that happened while nobody looked.
        let mut source = folder.source();
        let lost = source.assign(&positions).err().unwrap_or_else(|| fails(source.as_mut()));
        assert!(matches!(lost, SourceError::Lost(_)) && lost.to_string().contains(what), "{lost}");
    }
}

/// Nothing of it was read, so nothing is lost.
#[test]
fn a_watched_file_that_is_written_anew_before_it_is_read_is_read_as_it_is_now() {
    for between in ["", "{\"n\":1}\n", "{\"n\":"] {
        let folder = watched(&[("a.ndjson", &lines(0, 900))]);
        let mut source = folder.source();
        let mut positions = genesis(source.as_mut());
        folder.write("a.ndjson", between);
        source.assign(&positions).unwrap();
        let mut records = Records::new();
        read_on(source.as_mut(), &limits(100), &mut records, &mut positions);
        append(&folder, "a.ndjson", "1}\n{\"n\":2}\n");
        let goal = folder.records().values().map(Vec::len).sum();
        read_until(source.as_mut(), goal, &mut records, &mut positions);
        assert_same(&records, &folder.records());
    }
}

/// A store refuses to read from behind the end of a file, and says so in words of its own.
#[test]
fn a_file_that_is_cut_before_where_reading_goes_on_has_lost_its_position() {
    for (read, left) in [(0, 0), (0, 30), (1, 0), (1, 5), (3, 30)] {
        let folder = Folder::new(&[("a.ndjson", &lines(0, 5))]);
        let mut source = folder.source();
        let mut positions = genesis(source.as_mut());
        source.assign(&positions).unwrap();
        let all = positions.keys().cloned().collect();
        let mut records = Records::new();
        while records.values().map(Vec::len).sum::<usize>() < read {
            absorb(&source.poll(&limits(1)).unwrap(), &mut records, &mut positions);
        }
        // The next reader begins where the records end that were handed on.
        source.pause(&all).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(folder.path("a.ndjson"));
        file.unwrap().set_len(left).unwrap();
        source.pause(&BTreeSet::new()).unwrap();
        let lost = loop {
            match source.poll(&limits(1000)) {
                Ok(blocks) => assert!(blocks.is_empty(), "{read} {left}"),
                Err(error) => break error,
            }
            assert_eq!(source.problem(), None, "{read} records read, {left} bytes left");
        };
        let words = format!("it has {left} bytes and had ");
        assert!(
            matches!(lost, SourceError::Lost(_)) && lost.to_string().contains(&words),
            "{lost}"
        );
    }
}

#[test]
fn a_line_that_was_read_without_its_end_must_not_go_on() {
    let mut folder = Folder::new(&[("a.ndjson", "{\"n\":1}\n{\"n\":2}")]);
    let (records, mut positions) = folder.read();
    assert_eq!(records[&folder.partition("a.ndjson")].len(), 2);
    append(&folder, "a.ndjson", "0}\n");
    folder.config.watch = Some(Duration::from_millis(20));
    positions.values_mut().for_each(|position| position.ended = false);
    let mut source = folder.source();
    source.assign(&positions).unwrap();
    let lost = fails(source.as_mut()).to_string();
    assert!(lost.contains("its last was continued"), "{lost}");
}

pub(super) fn packed(name: &str, text: &str) -> Vec<u8> {
    if name.ends_with(".zst") {
        return zstd::encode_all(text.as_bytes(), 1).unwrap();
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn packed_files_are_read_and_gone_on_with() {
    let text = lines(0, 30_000) + "{\"n\":\"no line end\"}";
    for name in ["a.json.gz", "b.ndjson.zst", "c.jsonl.GZ"] {
        let folder = Folder::new(&[]);
        std::fs::write(folder.path(name), packed(name, &text)).unwrap();
        let mut positions = genesis(folder.source().as_mut());
        let mut records = Records::new();
        // Several lives of a few thousand records each.
        for _ in 0..3 {
            let mut source = folder.source();
            source.assign(&positions).unwrap();
            let goal = records.values().map(Vec::len).sum::<usize>() + 3_000;
            read_until(source.as_mut(), goal, &mut records, &mut positions);
        }
        let mut source = folder.source();
        source.assign(&positions).unwrap();
        read_on(source.as_mut(), &limits(10_000), &mut records, &mut positions);
        let mut at = 0;
        let expected = text.split_inclusive('\n').map(|line| {
            let record = (at, line.trim().as_bytes().to_vec());
            at += i64::try_from(line.len()).unwrap();
            record
        });
        assert!(records[&folder.partition(name)] == expected.collect::<Vec<_>>(), "{name}");
        assert!(source.progress()[0].ended);
    }
}

#[test]
fn a_packed_file_without_its_end_halts_a_bounded_run_and_waits_in_a_watched_one() {
    for name in ["a.json.gz", "a.json.zst"] {
        let mut folder = Folder::new(&[]);
        let whole = packed(name, &lines(0, 20_000));
        std::fs::write(folder.path(name), &whole[..whole.len() - 5]).unwrap();
        let mut source = folder.source();
        source.assign(&Positions::new()).unwrap();
        let error = fails(source.as_mut());
        assert!(
            matches!(error, SourceError::Final(_)) && error.to_string().contains(name),
            "{error}"
        );

        folder.config.watch = Some(Duration::from_millis(20));
        let mut source = folder.source();
        source.assign(&Positions::new()).unwrap();
        let (mut records, mut positions) = (Records::new(), Positions::new());
        read_on(source.as_mut(), &limits(10_000), &mut records, &mut positions);
        std::fs::write(folder.path(name), &whole).unwrap();
        read_until(source.as_mut(), 20_000, &mut records, &mut positions);
        assert_eq!(records[&folder.partition(name)].len(), 20_000);
    }
}

#[test]
fn packed_files_are_refused_where_positions_count_all_bytes() {
    let mut folder = Folder::new(&[]);
    std::fs::write(folder.path("a.json.gz"), packed("a.json.gz", &lines(0, 3))).unwrap();
    folder.config.order = FileOrder::Sequential;
    let refused = folder.source().assign(&Positions::new()).unwrap_err().to_string();
    assert!(refused.contains("a.json.gz` is packed"), "{refused}");
}

fn many(count: usize) -> Folder {
    let folder = Folder::new(&[]);
    for number in 0..count {
        folder.write(&format!("{number:03}.ndjson"), &lines(number, number + 1));
    }
    folder
}

#[test]
fn files_are_begun_in_the_order_of_their_names_and_those_that_wait_are_no_partitions() {
    let folder = many(50);
    let mut source = folder.source();
    let mut positions = genesis(source.as_mut());
    assert_eq!(positions.len(), TRACKS_OPEN_MAX);
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    while records.len() < 50 {
        absorb(&source.poll(&limits(1)).unwrap(), &mut records, &mut positions);
        let shown: Vec<_> = source.progress().iter().map(|one| &*one.partition.stream).collect();
        assert!(shown.len() <= 2 * TRACKS_OPEN_MAX + 1, "{shown:?}");
        let begun = records.len() + TRACKS_OPEN_MAX + 1;
        assert!(
            shown
                .iter()
                .all(|name| **name <= *folder.partition(&format!("{begun:03}.ndjson")).stream),
            "{shown:?}"
        );
        let ended = source.progress().iter().all(|one| one.ended);
        assert!(!ended || records.len() == 50, "it looked like the end after {}", records.len());
    }
    assert_same(&records, &folder.records());
}

/// A poll may end with all that was begun handed on, and none of the others begun yet.
#[test]
fn the_end_is_not_seen_while_files_wait() {
    let folder = many(300);
    let mut source = folder.source();
    source.assign(&Positions::new()).unwrap();
    let (mut records, mut positions) = (Records::new(), Positions::new());
    while records.len() < 300 {
        absorb(&source.poll(&limits(records.len() % 9 + 1)).unwrap(), &mut records, &mut positions);
        let ended = source.progress().iter().all(|one| one.ended);
        assert!(!ended || records.len() == 300, "it looked like the end after {}", records.len());
    }
}

#[test]
fn where_names_say_nothing_of_time_one_that_waits_stands_for_all() {
    let mut folder = many(20);
    folder.config.order = FileOrder::Unordered;
    let mut source = folder.source();
    source.assign(&Positions::new()).unwrap();
    let (mut records, mut positions) = (Records::new(), Positions::new());
    while records.len() < 20 {
        absorb(&source.poll(&limits(1)).unwrap(), &mut records, &mut positions);
        let unread =
            source.progress().iter().filter(|one| !records.contains_key(&one.partition)).count();
        assert!(unread > 0 || records.len() == 20, "after {}", records.len());
    }
}

#[test]
fn finished_files_are_not_read_again() {
    let folder = many(30);
    let mut finished = FinishedFiles::default();
    for number in 0..20 {
        finished.insert(Arc::clone(&folder.partition(&format!("{number:03}.ndjson")).stream));
    }
    let mut source = folder.source();
    source.know_finished(finished);
    source.assign(&Positions::new()).unwrap();
    let mut records = Records::new();
    read_on(source.as_mut(), &limits(100), &mut records, &mut Positions::new());
    let read: Vec<_> = records.keys().cloned().collect();
    let rest: Vec<_> =
        (20..30).map(|number| folder.partition(&format!("{number:03}.ndjson"))).collect();
    assert_eq!(read, rest);
}

#[test]
fn a_watched_file_that_is_quiet_is_finished_but_for_the_newest() {
    let mut folder = watched(&[("a.ndjson", &lines(0, 3)), ("b.ndjson", &lines(3, 5))]);
    let time = Clock::manual(0);
    folder.clock = time.clone();
    folder.config.finish_after = Duration::from_secs(60);
    let mut source = folder.source();
    source.assign(&Positions::new()).unwrap();
    let (mut records, mut positions) = (Records::new(), Positions::new());
    read_until(source.as_mut(), 5, &mut records, &mut positions);
    time.advance(Duration::from_secs(61));
    while !source.progress().iter().any(|one| one.ended) {
        absorb(&source.poll(&limits(1000)).unwrap(), &mut records, &mut positions);
        time.advance(Duration::from_secs(1));
    }
    let shown: Vec<_> =
        source.progress().iter().map(|one| (one.partition.clone(), one.ended)).collect();
    assert_eq!(
        shown,
        [(folder.partition("a.ndjson"), true), (folder.partition("b.ndjson"), false)]
    );
}

#[test]
fn a_listing_that_fails_is_a_problem_and_tried_again() {
    let folder = Folder::new(&[]);
    let place = folder.path("in");
    std::os::unix::fs::symlink("in", &place).unwrap();
    let mut folder = folder;
    folder.config.path = place.to_str().unwrap().to_owned();
    let mut source = folder.source();
    assert_eq!(source.genesis().unwrap(), None);
    let problem = source.problem().unwrap();
    assert!(problem.contains("cannot be listed") && problem.contains("/in"), "{problem}");
    assert!(!source.reach().unwrap());
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("a.json"), "{}\n").unwrap();
    while source.genesis().unwrap().is_none() {}
    assert_eq!(source.problem(), None);
}

#[test]
fn an_odd_name_stops_no_listing() {
    let folder = Folder::new(&[("a.ndjson", &lines(0, 3)), ("b.csv", "1\n")]);
    std::os::unix::fs::symlink("loop", folder.path("loop")).unwrap();
    std::os::unix::fs::symlink(".", folder.path("round")).unwrap();
    let (records, _) = folder.read();
    assert_eq!(records.keys().collect::<Vec<_>>(), [&folder.partition("a.ndjson")]);
}
