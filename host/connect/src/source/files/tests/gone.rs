//! Watched files that are removed when they were read: nobody misses them, unless something of them was left.

use std::collections::BTreeSet;

use super::growing::{append, packed, watched};
use super::lane::Lane;
use super::{Folder, lines};
use crate::source::SourceError;
use crate::source::tests::{Fixture, Records, absorb, genesis, learn, limits, read_on};
use sluicegate_model::position::Positions;
use sluicegate_pipeline::FilesConfig;

/// Reads all there is, and answers with where the chain says that it stands.
fn read_whole(folder: &Folder) -> Positions {
    let mut source = folder.source();
    let mut positions = genesis(source.as_mut());
    source.assign(&positions).unwrap();
    read_on(source.as_mut(), &limits(1_000), &mut Records::new(), &mut positions);
    positions
}

#[test]
fn a_file_that_was_read_whole_may_be_removed() {
    let text = lines(0, 3_000);
    let contents = [
        ("a.ndjson", text.clone().into_bytes()),
        ("a.json.gz", packed("a.json.gz", &text)),
        ("a.json.zst", packed("a.json.zst", &text)),
        ("a.json.gz", packed("a.json.gz", "{\"n\":1}\n{\"n\":\"no line end\"}")),
        ("a.json.gz", packed("a.json.gz", "")),
        ("a.ndjson", Vec::new()),
        ("a.ndjson", b"\n \r\n\n".to_vec()),
        ("a.ndjson", b"{\"n\":1}\n\n\n".to_vec()),
    ];
    for (name, content) in contents {
        let folder = watched(&[("z.ndjson", &lines(0, 3))]);
        std::fs::write(folder.path(name), content).unwrap();
        let positions = read_whole(&folder);
        std::fs::remove_file(folder.path(name)).unwrap();
        let mut source = folder.source();
        source.assign(&positions).unwrap_or_else(|error| panic!("{name}: {error}"));
        source.poll(&limits(10)).unwrap();
        let gone = folder.partition(name);
        let of = source.progress().iter().find(|one| one.partition == gone);
        assert!(of.is_none_or(|of| of.caught_up), "{name}: {of:?}");
    }
}

#[test]
fn a_file_of_which_something_was_left_is_missed() {
    let whole = packed("a.json.gz", &lines(0, 20_000));
    let contents = [
        ("a.json.gz", whole[..whole.len() - 5].to_vec()),
        ("a.ndjson", b"{\"n\":1}\n{\"n\"".to_vec()),
    ];
    for (name, content) in contents {
        let folder = watched(&[("z.ndjson", &lines(0, 3))]);
        std::fs::write(folder.path(name), content).unwrap();
        let positions = read_whole(&folder);
        std::fs::remove_file(folder.path(name)).unwrap();
        let lost = folder.source().assign(&positions).expect_err(name);
        assert!(matches!(lost, SourceError::Lost(_)), "{name}: {lost}");
    }
}

/// Also by the life that has read the rest of it.
#[test]
fn a_file_of_which_something_was_left_is_missed_by_the_next_listing() {
    let whole = packed("a.json.gz", &lines(0, 20_000));
    let contents = [
        ("a.json.gz", whole[..whole.len() - 5].to_vec()),
        ("a.ndjson", b"{\"n\":1}\n{\"n\"".to_vec()),
    ];
    for (name, content) in contents {
        for is_folder in [false, true] {
            let folder = watched(&[("in/z.ndjson", &lines(0, 3))]);
            let folder = Folder { config: below(&folder, "in"), ..folder };
            std::fs::write(folder.path(name), &content).unwrap();
            let mut lane = Lane::begin(&folder);
            lane.until(|lane| lane.count("z.ndjson") == 3).unwrap();
            match is_folder {
                true => std::fs::remove_dir_all(&folder.config.path).unwrap(),
                false => std::fs::remove_file(folder.path(name)).unwrap(),
            }
            let lost = lane.fails(name);
            let is_said = lost.to_string().contains("is not among the files");
            assert!(matches!(lost, SourceError::Lost(_)) && is_said, "{name}: {lost}");
        }
    }
}

/// The same, of a folder in it.
fn below(folder: &Folder, name: &str) -> FilesConfig {
    let path = folder.path(name).to_str().unwrap().to_owned();
    FilesConfig { path: path.clone(), name: path, ..folder.config.clone() }
}

/// Nobody has read it yet when the listing shows it, and then it is gone.
#[test]
fn what_was_added_is_missed_as_soon_as_it_was_seen() {
    for name in ["a.ndjson", "a.json.gz"] {
        let folder = watched(&[("z.ndjson", &lines(0, 3))]);
        let content = |count: usize| match name {
            "a.ndjson" => lines(0, count).into_bytes(),
            _ => packed(name, &lines(0, count)),
        };
        std::fs::write(folder.path(name), content(10)).unwrap();
        let mut source = folder.source();
        let mut positions = genesis(source.as_mut());
        source.assign(&positions).unwrap();
        read_on(source.as_mut(), &limits(1_000), &mut Records::new(), &mut positions);
        let of = folder.partition(name);
        let end = positions[&of].next_offset.get();
        source.pause(&BTreeSet::from([of.clone()])).unwrap();
        std::fs::write(folder.path(name), content(20)).unwrap();
        append(&folder, "z.ndjson", &lines(3, 4));
        // A listing that shows one shows the other.
        let mut seen = Records::new();
        while seen.is_empty() {
            absorb(&source.poll(&limits(1_000)).unwrap(), &mut seen, &mut positions);
            learn(source.progress(), &mut positions);
        }
        assert_eq!(positions[&of].next_offset.get(), end, "{name}");
        std::fs::remove_file(folder.path(name)).unwrap();
        let lost = folder.source().assign(&positions).expect_err(name);
        assert!(matches!(lost, SourceError::Lost(_)), "{name}: {lost}");
    }
}

/// Its last reader has found its end. One that begins anew does not know it until it comes there, and what the chain
/// says holds.
#[test]
fn a_packed_file_stays_read_whole_over_restarts() {
    let folder = watched(&[("z.ndjson", &lines(0, 3))]);
    std::fs::write(folder.path("a.json.gz"), packed("a.json.gz", &lines(0, 3_000))).unwrap();
    let mut positions = read_whole(&folder);
    let before = positions.clone();
    for polls in 0..3 {
        let mut source = folder.source();
        source.assign(&positions).unwrap();
        for _ in 0..polls {
            absorb(&source.poll(&limits(10)).unwrap(), &mut Records::new(), &mut positions);
        }
        learn(source.progress(), &mut positions);
        assert_eq!(positions, before);
    }
    let mut source = folder.source();
    source.assign(&positions).unwrap();
    read_on(source.as_mut(), &limits(1_000), &mut Records::new(), &mut positions);
    assert_eq!(positions, before);
}
