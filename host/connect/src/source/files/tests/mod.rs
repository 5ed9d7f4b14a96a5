//! Files keep the promises of a source, in either order, and hand on what stands in them.

mod lane;
mod back;
mod beside;
mod finished;
mod gone;
mod growing;
mod replaced;
mod told;
mod warnings;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::buffers::Buffers;
use super::lines::{LineCutter, Lines};
use super::{FilesSource, LINE_BYTES_KEPT, LINE_BYTES_MAX};
use crate::source::tests::{
    Fixture, Records, absorb, genesis, keeps_the_promises, limits, read_on, trim,
};
use crate::source::{Source, SourceError};
use sluicegate_model::position::{Partition, Positions};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{FileOrder, FilesConfig};
use sluicegate_runtime::Bell;
use sluicegate_store::StoreOptions;

pub(super) struct Folder {
    directory: TempDir,
    runtime: Runtime,
    pub(super) config: FilesConfig,
    pub(super) clock: Clock,
}

impl Folder {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap().to_owned();
        let folder = Self {
            directory,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
            config: FilesConfig {
                name: path.clone(),
                path,
                watch: None,
                order: FileOrder::Parallel,
                finish_after: Duration::from_secs(3_600),
            },
            clock: Clock::system(),
        };
        for (name, content) in files {
            folder.write(name, content);
        }
        folder
    }

    fn is_sequential(&self) -> bool {
        self.config.order == FileOrder::Sequential
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(&self.config.path).join(name)
    }

    pub(super) fn write(&self, name: &str, content: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        let hidden = self.directory.path().join("being-written");
        std::fs::write(&hidden, content).unwrap();
        std::fs::rename(hidden, self.path(name)).unwrap();
    }

    pub(super) fn partition(&self, name: &str) -> Partition {
        Partition { stream: Arc::from(format!("{}/{name}", self.config.path)), number: 0 }
    }

    /// From genesis to the end: the values with white space, and the positions.
    pub(super) fn read(&self) -> (Records, Positions) {
        let mut source = self.source();
        let mut positions = genesis(source.as_mut());
        source.assign(&positions).unwrap();
        let mut records = Records::new();
        read_on(source.as_mut(), &limits(1000), &mut records, &mut positions);
        (records, positions)
    }

    fn files(&self) -> Vec<String> {
        let mut files: Vec<_> = walk(self.directory.path());
        files.sort();
        files
    }
}

fn walk(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else if path.extension().is_some_and(|extension| extension == "ndjson") {
            files.push(path.to_str().unwrap().to_owned());
        }
    }
    files
}

impl Fixture for Folder {
    fn source(&self) -> Box<dyn Source> {
        let (runtime, clock) = (self.runtime.handle().clone(), self.clock.clone());
        let config = FilesConfig { name: self.config.path.clone(), ..self.config.clone() };
        let (stores, bell) = (StoreOptions::default(), Bell::default());
        Box::new(FilesSource::open(&config, &stores, runtime, clock, bell).unwrap())
    }

    fn records(&self) -> Records {
        let mut records = Records::new();
        let mut start = 0;
        for file in self.files() {
            let stream = if self.is_sequential() { &self.config.path } else { &file };
            let partition = Partition { stream: Arc::from(stream.as_str()), number: 0 };
            let into = records.entry(partition).or_default();
            let content = std::fs::read(&file).unwrap();
            for line in content.split_inclusive(|byte| *byte == b'\n') {
                if !trim(line).is_empty() {
                    into.push((start, trim(line).to_vec()));
                }
                start += i64::try_from(line.len()).unwrap();
            }
            if !self.is_sequential() {
                start = 0;
            }
        }
        records
    }
}

pub(super) fn lines(from: usize, to: usize) -> String {
    (from..to).map(|n| format!("{{\"n\":{n},\"s\":\"{}\"}}\n", "x".repeat(n % 50))).collect()
}

fn several_files() -> Folder {
    Folder::new(&[
        ("2026/01/b.ndjson", &lines(0, 400)),
        (
            "2026/01/a.ndjson",
            &format!("\n\r\n{}{{\"n\":\"no line end\"}}", lines(400, 500).replace('\n', "\r\n")),
        ),
        ("2026/02/a.ndjson", &lines(500, 501)),
        ("2026/02/b.ndjson", "\u{c}\n{\"n\":1}\n\u{b}\r\n \u{c}\n\t\n"),
        ("2026/02/ignored.csv", "1,2\n"),
    ])
}

#[test]
fn files_as_partitions_keep_the_promises() {
    keeps_the_promises(&several_files());
}

#[test]
fn files_in_sequence_keep_the_promises() {
    let mut folder = several_files();
    folder.config.order = FileOrder::Sequential;
    keeps_the_promises(&folder);
}

#[test]
fn files_larger_than_a_chunk_keep_the_promises() {
    // More than is read ahead at once, with one line longer than a chunk in the middle.
    let long = format!("{{\"long\":\"{}\"}}\n", "y".repeat(1_500_000));
    let content = format!("{}{long}{}", lines(0, 500_000), lines(500_000, 500_100));
    assert!(content.len() > 9 << 20, "{}", content.len());
    let folder = Folder::new(&[("big.ndjson", &content), ("small.ndjson", &lines(0, 3))]);
    let (mut source, mut records) = (folder.source(), Records::new());
    let mut positions = genesis(source.as_mut());
    source.assign(&positions).unwrap();
    while records.values().map(Vec::len).sum::<usize>() < 100_000 {
        absorb(&source.poll(&limits(10_000)).unwrap(), &mut records, &mut positions);
    }
    // Another one goes on in the middle of a chunk.
    let mut source = folder.source();
    source.assign(&positions).unwrap();
    read_on(source.as_mut(), &limits(10_000), &mut records, &mut positions);
    crate::source::tests::assert_same(&records, &folder.records());
    let size = i64::try_from(content.len()).unwrap();
    assert_eq!(positions[&folder.partition("big.ndjson")].next_offset.get(), size);
    assert!(positions.values().all(|position| position.ended));
}

#[test]
fn a_single_file_and_an_empty_one_are_read() {
    let mut folder =
        Folder::new(&[("one.ndjson", &lines(0, 3)), ("none.ndjson", ""), ("blank.ndjson", "\n\n")]);
    let (records, _) = folder.read();
    assert_eq!(records.len(), 1);
    folder.config.path = folder.path("one.ndjson").to_str().unwrap().to_owned();
    let (records, positions) = folder.read();
    assert_eq!(records.values().next().unwrap().len(), 3);
    assert_eq!(&*positions.keys().next().unwrap().stream, folder.config.path);
}

#[test]
fn a_place_without_files_is_refused_unless_it_is_watched() {
    let mut folder = Folder::new(&[("data.csv", "1\n")]);
    let refused = folder.source().genesis().unwrap_err().to_string();
    assert!(
        refused.contains("no file below it ends in `.json`, `.ndjson` or `.jsonl`")
            && refused.contains("nothing to read"),
        "{refused}"
    );
    folder.config.path += "/missing.ndjson";
    let refused = folder.source().genesis().unwrap_err();
    assert!(matches!(refused, SourceError::Final(_)), "{refused}");
    folder.config.watch = Some(Duration::from_millis(1));
    assert_eq!(folder.source().genesis().unwrap(), Some(Positions::new()));
}

#[test]
fn a_file_that_became_shorter_or_vanished_has_lost_its_position() {
    for order in [FileOrder::Parallel, FileOrder::Sequential] {
        let mut folder = several_files();
        folder.config.order = order;
        let mut source = folder.source();
        let mut positions = genesis(source.as_mut());
        source.assign(&positions).unwrap();
        let mut records = Records::new();
        while records.values().map(Vec::len).sum::<usize>() < 450 {
            absorb(&source.poll(&limits(50)).unwrap(), &mut records, &mut positions);
        }
        for position in positions.values_mut() {
            position.ended = false;
        }
        folder.source().assign(&positions).unwrap();
        folder.write("2026/01/a.ndjson", &lines(0, 1));
        let lost = folder.source().assign(&positions).unwrap_err();
        assert!(matches!(lost, SourceError::Lost(_)), "{lost}");
        std::fs::remove_file(folder.path("2026/01/a.ndjson")).unwrap();
        let lost = folder.source().assign(&positions).unwrap_err();
        assert!(matches!(lost, SourceError::Lost(_)), "{lost}");
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_read_ends_the_source() {
    let folder = Folder::new(&[("big.ndjson", &lines(0, 200_000))]);
    let mut source = folder.source();
    let positions = genesis(source.as_mut());
    let file = std::fs::OpenOptions::new().write(true).open(folder.path("big.ndjson")).unwrap();
    source.assign(&positions).unwrap();
    file.set_len(1000).unwrap();
    let error = loop {
        match source.poll(&limits(100_000)) {
            Ok(_) => assert!(!source.progress()[0].ended, "the file was read before it was cut"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SourceError::Lost(_)), "{error}");
}

#[test]
fn an_over_long_line_is_cut_and_its_neighbours_are_whole() {
    let long = format!("{{\"s\":\"{}\"}}\n", "z".repeat(LINE_BYTES_MAX + 3_000_000));
    let content = format!("{{\"n\":1}}\n{long}{{\"n\":2}}\n");
    let folder = Folder::new(&[("a.ndjson", &content)]);
    let (records, _) = folder.read();
    let records = &records[&folder.partition("a.ndjson")];
    assert_eq!(records.len(), 3);
    assert_eq!(records[1].0, 8);
    assert_eq!(records[1].1, &long.as_bytes()[..LINE_BYTES_KEPT]);
    let last = i64::try_from(content.len() - 8).unwrap();
    assert_eq!(records[2], (last, b"{\"n\":2}".to_vec()));
}

#[test]
fn watched_files_are_found_and_the_input_does_not_end() {
    let mut folder = Folder::new(&[("b.ndjson", &lines(0, 3))]);
    folder.config.watch = Some(Duration::from_millis(20));
    let mut source = folder.source();
    let mut positions = genesis(source.as_mut());
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    read_on(source.as_mut(), &limits(100), &mut records, &mut positions);
    assert!(!source.progress()[0].ended, "more files may come");
    folder.write("a.ndjson", &lines(3, 10));
    while records.values().map(Vec::len).sum::<usize>() < 10 {
        absorb(&source.poll(&limits(100)).unwrap(), &mut records, &mut positions);
    }
    crate::source::tests::assert_same(&records, &folder.records());
    let mut source = folder.source();
    source.assign(&positions).unwrap();
    assert!(source.poll(&limits(100)).unwrap().is_empty());
    assert!(source.progress().iter().all(|progress| progress.caught_up && !progress.ended));
}

#[test]
fn in_sequence_a_new_file_must_come_behind() {
    let mut folder = Folder::new(&[("b.ndjson", &lines(0, 3))]);
    folder.config.order = FileOrder::Sequential;
    folder.config.watch = Some(Duration::from_millis(20));
    let mut source = folder.source();
    let mut positions = genesis(source.as_mut());
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    folder.write("c.ndjson", &lines(3, 10));
    while records.values().map(Vec::len).sum::<usize>() < 10 {
        absorb(&source.poll(&limits(100)).unwrap(), &mut records, &mut positions);
    }
    crate::source::tests::assert_same(&records, &folder.records());
    folder.write("a.ndjson", &lines(0, 1));
    let refused = loop {
        if let Err(error) = source.poll(&limits(100)) {
            break error.to_string();
        }
    };
    assert!(refused.contains("a.ndjson` appeared"), "{refused}");
}

#[test]
fn a_byte_order_mark_is_white_space() {
    let folder = Folder::new(&[("a.ndjson", "\u{feff}{\"n\":1}\n{\"n\":2}\n")]);
    let (records, _) = folder.read();
    let records = &records[&folder.partition("a.ndjson")];
    assert_eq!(records[0], (0, b"{\"n\":1}".to_vec()));
    assert_eq!(records[1].0, 11);
}

#[test]
fn a_file_with_a_byte_order_mark_is_known_again() {
    let mut folder = Folder::new(&[("a.ndjson", "\u{feff}{\"n\":1}\n")]);
    folder.config.watch = Some(Duration::from_millis(20));
    let (_, positions) = folder.read();
    folder.write("a.ndjson", "\u{feff}{\"n\":1}\n{\"n\":2}\n");
    let mut source = folder.source();
    source.assign(&positions).unwrap();
    let (mut records, mut positions) = (Records::new(), positions);
    while records.is_empty() {
        absorb(&source.poll(&limits(100)).unwrap(), &mut records, &mut positions);
    }
    assert_eq!(records[&folder.partition("a.ndjson")], [(11, b"{\"n\":2}".to_vec())]);
}

/// Cuts `content`, given in pieces of these sizes, into lines: some pieces are only searched.
fn cut(content: &[u8], begins: bool, pieces: &[usize], cuts: &[bool]) -> Vec<(i64, Vec<u8>)> {
    let mut cutter = LineCutter::new(100, begins, Buffers::default());
    let mut found: Vec<(i64, Vec<u8>)> = Vec::new();
    let mut at = 0;
    let mut add = |lines: Option<Lines>| {
        let Some(lines) = lines else { return };
        assert_eq!(lines.len(), lines.values.len());
        let values = lines.values.iter().map(|value| trim(value).to_vec());
        found.extend(lines.offsets.iter().copied().zip(values));
    };
    let mut cuts = cuts.iter().chain([&true]).cycle();
    for piece in pieces.iter().copied().chain([content.len()]) {
        let end = (at + piece).min(content.len());
        cutter.buffer().extend_from_slice(&content[at..end]);
        at = end;
        if *cuts.next().unwrap() { add(cutter.cut()) } else { cutter.search() }
    }
    add(cutter.finish());
    assert_eq!(cutter.start(), 100 + i64::try_from(content.len()).unwrap());
    found
}

proptest! {
    #[test]
    fn lines_are_the_same_however_the_file_is_read(
        begins: bool,
        content in prop::collection::vec(prop_oneof![2 => Just(b'\n'), 1 => Just(b'\r'), 1 => Just(0x0c), 4 => Just(b'a')], 0..200),
        pieces in prop::collection::vec(0_usize..40, 0..20),
        cuts in prop::collection::vec(any::<bool>(), 0..20),
    ) {
        // A byte-order mark at the beginning is no part of the first line, however few bytes come first.
        let mark: &[u8] = if begins { b"\xef\xbb\xbf" } else { b"" };
        let marked = [mark, &content].concat();
        let content = [&b"   "[..mark.len()], &content].concat();
        let mut at = 100;
        let mut expected = Vec::new();
        for line in content.split_inclusive(|byte| *byte == b'\n') {
            if !trim(line).is_empty() {
                expected.push((at, trim(line).to_vec()));
            }
            at += i64::try_from(line.len()).unwrap();
        }
        prop_assert_eq!(cut(&marked, begins, &pieces, &cuts), expected);
    }
}
