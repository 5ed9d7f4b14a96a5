//! Files beside each other: none keeps the others from being read, or the end of all from being seen.

use std::collections::BTreeSet;
use std::fs::File;

use super::{Folder, lines};
use crate::source::PartitionProgress;
use crate::source::files::TRACKS_OPEN_MAX;
use crate::source::tests::{Fixture, Records, absorb, assert_same, genesis, limits, read_on};

/// More files than are read at once: those that wait must not keep the others from being opened.
#[test]
fn files_that_wait_leave_their_place_to_others() {
    let names: Vec<String> = (0..3 * TRACKS_OPEN_MAX).map(|n| format!("{n:02}.ndjson")).collect();
    let folder = Folder::new(&[]);
    for name in &names {
        folder.write(name, &lines(0, 50));
    }
    let mut source = folder.source();
    let mut positions = genesis(source.as_mut());
    source.assign(&positions).unwrap();
    let paused = source.progress().iter().map(|one| one.partition.clone()).collect();
    source.pause(&paused).unwrap();
    let mut records = Records::new();
    let last = folder.partition(names.last().unwrap());
    while !records.contains_key(&last) {
        absorb(&source.poll(&limits(1000)).unwrap(), &mut records, &mut positions);
    }
    assert!(paused.iter().all(|one| !records.contains_key(one)));
    source.pause(&BTreeSet::new()).unwrap();
    read_on(source.as_mut(), &limits(1000), &mut records, &mut positions);
    assert_same(&records, &folder.records());
}

/// Whoever reads it never comes to the end of its line.
#[test]
fn a_file_without_line_ends_leaves_room_for_the_others() {
    let others = ["b.ndjson", "c.ndjson"];
    let content = lines(0, 250_000);
    assert!(content.len() > 4 << 20, "{}", content.len());
    let folder = Folder::new(&others.map(|name| (name, &*content)));
    File::create(folder.path("a.ndjson")).unwrap().set_len(1 << 40).unwrap();
    let mut source = folder.source();
    let mut positions = genesis(source.as_mut());
    source.assign(&positions).unwrap();
    let mut records = Records::new();
    let is_read = |records: &Records| {
        others.iter().all(|name| {
            records.get(&folder.partition(name)).is_some_and(|read| read.len() == 250_000)
        })
    };
    for _ in 0..2_000 {
        absorb(&source.poll(&limits(10_000)).unwrap(), &mut records, &mut positions);
        if is_read(&records) {
            return;
        }
    }
    panic!("{:?}", records.values().map(Vec::len).collect::<Vec<_>>());
}

/// It has ended before the first poll. Whoever looks behind polls only would wait for it for ever.
#[test]
fn the_end_of_a_file_without_a_byte_is_told() {
    for empty in ["a.ndjson", "c.ndjson"] {
        let folder = Folder::new(&[("b.ndjson", &lines(0, 3)), (empty, "")]);
        let mut source = folder.source();
        let positions = genesis(source.as_mut());
        source.assign(&positions).unwrap();
        let mut ended = BTreeSet::new();
        for _ in 0..50 {
            source.poll(&limits(1_000)).unwrap();
            let progress = source.progress().iter().filter(|one| one.ended);
            ended.extend(progress.map(|one| one.partition.clone()));
        }
        assert_eq!(ended, BTreeSet::from([folder.partition("b.ndjson"), folder.partition(empty)]));
    }
}

/// The pause comes between its last line and the word of its reader that it ends. The lane hears of it with the next poll.
#[test]
fn a_file_that_is_paused_at_its_end_is_told_to_have_ended() {
    let content = lines(0, 3);
    let folder = Folder::new(&["a.ndjson", "b.ndjson"].map(|name| (name, &*content)));
    let mut source = folder.source();
    let positions = genesis(source.as_mut());
    source.assign(&positions).unwrap();
    let end = i64::try_from(content.len()).unwrap();
    let (mut told, mut paused) = (BTreeSet::new(), 0);
    for _ in 0..1_000 {
        source.poll(&limits(1)).unwrap();
        let ended = source.progress().iter().filter(|one| one.ended);
        told.extend(ended.map(|one| one.partition.clone()));
        if told.len() == 2 {
            assert!(paused > 0, "no poll ended between the last line and the end");
            return;
        }
        let is_at_end = |one: &&PartitionProgress| {
            let at = one.read_to.as_ref().map(|position| position.next_offset.get());
            !one.ended && at == Some(end)
        };
        let at_end = source.progress().iter().filter(is_at_end);
        let at_end: BTreeSet<_> = at_end.map(|one| one.partition.clone()).collect();
        paused += at_end.len();
        source.pause(&at_end).unwrap();
    }
    panic!("of two files only these have ended: {told:?}");
}
