//! What of files is not read is told by name, once.

use std::time::Duration;

use super::growing::{append, packed, read_until, watched};
use super::warnings::Warnings;
use super::{Folder, lines};
use crate::source::Source;
use crate::source::tests::{Fixture, Records, absorb, genesis, limits, read_on};
use sluicegate_model::position::Positions;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::FileOrder;

#[test]
fn what_is_added_to_a_file_after_it_was_listed_is_told_of_each_file() {
    for order in [FileOrder::Parallel, FileOrder::Sequential] {
        for grows in ["a.ndjson", "b.ndjson", "c.ndjson"] {
            for (listed, added, unread) in
                [("{\"n\"", ":2}\n{\"n\":3}\n", 16), ("", "{\"n\":3}\n", 8)]
            {
                let what = format!("{order:?} {grows} {listed}");
                let mut folder = Folder::new(&[]);
                for name in ["a.ndjson", "b.ndjson", "c.ndjson"] {
                    folder.write(name, &lines(0, 3));
                }
                append(&folder, grows, listed);
                folder.config.order = order;
                let mut source = folder.source();
                let mut positions = genesis(source.as_mut());
                append(&folder, grows, added);
                source.assign(&positions).unwrap();
                let (mut records, warnings) = (Records::new(), Warnings::default());
                warnings.hear(|| {
                    read_on(source.as_mut(), &limits(2), &mut records, &mut positions);
                });
                assert_eq!(records.values().map(Vec::len).sum::<usize>(), 9, "{what}");
                let told = warnings.take();
                assert_eq!(told.len(), 1, "{what}: {told:?}");
                let words = format!("grew after it was listed: {unread} bytes");
                assert!(told[0].contains(grows) && told[0].contains(&words), "{what}: {told:?}");
            }
        }
    }
}

/// The next listing halts it.
#[test]
fn a_watched_file_that_grows_before_another_is_not_advised_to_be_watched() {
    let mut folder = watched(&[("a.ndjson", &lines(0, 3)), ("b.ndjson", &lines(0, 3))]);
    folder.config.order = FileOrder::Sequential;
    folder.clock = Clock::manual(0);
    let mut source = folder.source();
    let mut positions = genesis(source.as_mut());
    append(&folder, "a.ndjson", "{\"n\":3}\n");
    source.assign(&positions).unwrap();
    let (mut records, warnings) = (Records::new(), Warnings::default());
    warnings.hear(|| read_until(source.as_mut(), 6, &mut records, &mut positions));
    let told = warnings.take();
    let words = "8 bytes of it are not read; a file must not grow behind which others are read";
    assert!(told.len() == 1 && told[0].contains("a.ndjson") && told[0].contains(words), "{told:?}");
}

/// Two files by a clock that a test moves; the first is finished a minute after it was quiet.
fn finishing(first: &str, content: &[u8]) -> (Folder, Clock) {
    let mut folder = watched(&[("z.ndjson", &lines(0, 3))]);
    std::fs::write(folder.path(first), content).unwrap();
    let time = Clock::manual(0);
    folder.clock = time.clone();
    folder.config.finish_after = Duration::from_secs(60);
    (folder, time)
}

/// Reads so many records, and polls until a file is finished.
fn finish(source: &mut dyn Source, count: usize, time: &Clock) {
    let (mut records, mut positions) = (Records::new(), Positions::new());
    read_until(source, count, &mut records, &mut positions);
    while source.progress().iter().any(|one| !one.caught_up) {
        absorb(&source.poll(&limits(1_000)).unwrap(), &mut records, &mut positions);
    }
    time.advance(Duration::from_secs(61));
    while !source.progress().iter().any(|one| one.ended) {
        absorb(&source.poll(&limits(1_000)).unwrap(), &mut records, &mut positions);
        time.advance(Duration::from_secs(1));
    }
}

#[test]
fn what_is_added_to_a_finished_file_is_told_by_the_first_listing_that_shows_it() {
    let (folder, time) = finishing("a.ndjson", lines(0, 3).as_bytes());
    let mut source = folder.source();
    source.assign(&Positions::new()).unwrap();
    finish(source.as_mut(), 6, &time);
    append(&folder, "a.ndjson", "{\"n\":3}\n");
    let warnings = Warnings::default();
    warnings.hear(|| {
        // The listing that shows this one shows the other, and no later one tells it again.
        for name in ["zy.ndjson", "zz.ndjson"] {
            folder.write(name, &lines(0, 2));
            let (mut records, mut positions) = (Records::new(), Positions::new());
            while records.values().map(Vec::len).sum::<usize>() < 2 {
                absorb(&source.poll(&limits(1_000)).unwrap(), &mut records, &mut positions);
                time.advance(Duration::from_millis(100));
            }
            assert!(records.contains_key(&folder.partition(name)));
        }
    });
    let told = warnings.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("a.ndjson") && told[0].contains("after it was finished"), "{told:?}");
}

#[test]
fn an_archive_whose_end_never_came_is_given_up_by_name_with_what_is_to_be_done() {
    for name in ["a.json.gz", "a.json.zst"] {
        let whole = packed(name, &lines(0, 20_000));
        let (folder, time) = finishing(name, &whole[..whole.len() - 5]);
        let mut source = folder.source();
        source.assign(&Positions::new()).unwrap();
        let warnings = Warnings::default();
        warnings.hear(|| finish(source.as_mut(), 3, &time));
        let told = warnings.take();
        assert_eq!(told.len(), 1, "{told:?}");
        for words in [name, "its end is missing", "give the whole file a new name"] {
            assert!(told[0].contains(words), "{words}: {told:?}");
        }
    }
}

/// A path that leads nowhere may be mistyped, unless files were read there.
#[test]
fn that_there_is_no_file_is_told_with_what_was_read_before_in_mind() {
    for (was_read, is_there) in [(false, false), (false, true), (true, false)] {
        let folder = watched(&[]);
        if was_read || is_there {
            folder.write("a.ndjson", &lines(0, 3));
        }
        let mut positions = Positions::new();
        if was_read {
            let mut source = folder.source();
            source.assign(&positions).unwrap();
            read_on(source.as_mut(), &limits(100), &mut Records::new(), &mut positions);
            std::fs::remove_file(folder.path("a.ndjson")).unwrap();
        }
        let warnings = Warnings::default();
        warnings.hear(|| {
            let mut source = folder.source();
            assert!(source.reach().unwrap());
            source.assign(&positions).unwrap();
        });
        let told = warnings.take();
        let is_told = told.iter().any(|words| words.contains("names no file yet"));
        assert_eq!((is_told, told.len() > 1), (!was_read && !is_there, false), "{told:?}");
    }
}
