//! Watched files that are finished: nothing of them is read half, and what becomes of them later is told.

use std::fs;
use std::time::Duration;

use super::growing::{append, watched};
use super::lane::Lane;
use super::warnings::Warnings;
use super::{Folder, lines};
use sluicegate_model::time::Clock;

/// By a clock that a test moves. A file is finished a minute after it was quiet.
fn folder(files: &[(&str, &str)]) -> (Folder, Clock) {
    let (mut folder, time) = (watched(files), Clock::manual(0));
    folder.clock = time.clone();
    folder.config.finish_after = Duration::from_secs(60);
    (folder, time)
}

/// Lets time pass until a file is finished.
fn finish(lane: &mut Lane<'_>, time: &Clock, name: &str) {
    time.advance(Duration::from_secs(61));
    lane.pass(time, |lane| lane.is_finished(name));
}

/// Nothing else is read, so that all files have ended.
#[test]
fn of_a_file_that_is_finished_no_half_line_is_read() {
    let (folder, time) = folder(&[("a.ndjson", &lines(0, 3)), ("z.ndjson", "")]);
    let mut lane = Lane::begin(&folder);
    // The newest never is finished, but it was before there was a newer one.
    lane.finished.insert(folder.partition("z.ndjson").stream);
    lane.restart().unwrap();
    lane.until(|lane| lane.count("a.ndjson") == 3).unwrap();
    finish(&mut lane, &time, "a.ndjson");
    append(&folder, "a.ndjson", "{\"n\"");
    let warnings = Warnings::default();
    warnings.hear(|| {
        folder.write("zz.ndjson", &lines(0, 2));
        lane.pass(&time, |lane| lane.count("zz.ndjson") == 2);
    });
    assert_eq!(lane.count("a.ndjson"), 3);
    let told = warnings.take();
    assert!(told.len() == 1 && told[0].contains("after it was finished"), "{told:?}");
}

/// Since the start nobody knows whether it begins as it did.
#[test]
fn a_file_that_was_not_looked_at_is_not_finished() {
    let (folder, time) = folder(&[("a.ndjson", &lines(0, 3)), ("z.ndjson", &lines(0, 3))]);
    let mut lane = Lane::begin(&folder);
    lane.until(|lane| lane.count("a.ndjson") == 3).unwrap();
    lane.restart().unwrap();
    lane.pause(&["a.ndjson"]);
    time.advance(Duration::from_secs(61));
    folder.write("zz.ndjson", &lines(0, 2));
    lane.pass(&time, |lane| lane.count("zz.ndjson") == 2);
    append(&folder, "a.ndjson", "{\"n\"");
    folder.write("zzz.ndjson", &lines(0, 2));
    lane.pass(&time, |lane| lane.count("zzz.ndjson") == 2);
    lane.pause(&[]);
    lane.pass(&time, Lane::is_caught_up);
    assert_eq!(lane.count("a.ndjson"), 3, "a half line was read");
    append(&folder, "a.ndjson", ":3}\n");
    lane.pass(&time, |lane| lane.count("a.ndjson") == 4);
}

/// However long it is.
#[test]
fn a_finished_file_that_is_written_anew_is_told() {
    for now in [lines(10, 13), lines(0, 3).replace('0', "5"), lines(0, 9)] {
        let (folder, time) = folder(&[("a.ndjson", &lines(0, 3)), ("z.ndjson", &lines(0, 3))]);
        let mut lane = Lane::begin(&folder);
        lane.until(|lane| lane.count("a.ndjson") == 3).unwrap();
        finish(&mut lane, &time, "a.ndjson");
        let warnings = Warnings::default();
        warnings.hear(|| {
            folder.write("a.ndjson", &now);
            folder.write("zz.ndjson", &lines(0, 2));
            lane.pass(&time, |lane| lane.count("zz.ndjson") == 2);
        });
        let told = warnings.take();
        assert!(told.len() == 1 && told[0].contains("a.ndjson"), "{now}: {told:?}");
    }
}

/// It is gone when it is finished, or only then, and comes back in this life or in the next.
#[test]
fn a_finished_file_that_comes_back_is_told() {
    for is_gone_first in [true, false] {
        for restarts in 0..3 {
            let (folder, time) = folder(&[("a.ndjson", &lines(0, 3)), ("z.ndjson", &lines(0, 3))]);
            let mut lane = Lane::begin(&folder);
            lane.until(|lane| lane.count("a.ndjson") == 3).unwrap();
            if is_gone_first {
                fs::remove_file(folder.path("a.ndjson")).unwrap();
                lane.restart().unwrap();
            }
            finish(&mut lane, &time, "a.ndjson");
            if !is_gone_first {
                fs::remove_file(folder.path("a.ndjson")).unwrap();
            }
            for _ in 0..restarts {
                lane.restart().unwrap();
                lane.poll().unwrap();
            }
            folder.write("zz.ndjson", &lines(0, 2));
            lane.pass(&time, |lane| lane.count("zz.ndjson") == 2);
            let warnings = Warnings::default();
            warnings.hear(|| {
                folder.write("a.ndjson", &lines(0, 9));
                folder.write("zzz.ndjson", &lines(0, 2));
                lane.pass(&time, |lane| lane.count("zzz.ndjson") == 2);
            });
            let told = warnings.take();
            let what = format!("gone first: {is_gone_first}, {restarts} restarts: {told:?}");
            assert!(told.len() == 1 && told[0].contains("a.ndjson"), "{what}");
            assert!(told[0].contains("it was finished"), "{what}");
            assert_eq!(lane.count("a.ndjson"), 3, "{what}");
        }
    }
}
