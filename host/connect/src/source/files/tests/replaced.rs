//! Packed files that another one replaces little by little: none of the other is read on.

use std::fs;

use super::growing::{packed, watched};
use super::lines;
use crate::source::tests::{Fixture, Records, absorb, genesis, learn, limits, read_on};
use crate::source::{Source, SourceError};
use sluicegate_model::position::Positions;

/// Polls until all there is was looked at, or the position is lost. No record comes.
fn look(source: &mut dyn Source, positions: &mut Positions) -> Result<(), SourceError> {
    loop {
        let mut records = Records::new();
        absorb(&source.poll(&limits(1_000))?, &mut records, positions);
        assert!(records.is_empty(), "the other archive is read on");
        learn(source.progress(), positions);
        if source.progress().iter().all(|one| one.caught_up) {
            return Ok(());
        }
    }
}

/// Reads an archive to its end and starts again over the first bytes of another. Then that is whole.
fn replace(name: &str, bytes: usize, is_restarted: bool) -> SourceError {
    let folder = watched(&[]);
    let path = folder.path(name);
    fs::write(&path, packed(name, &lines(0, 40_000))).unwrap();
    let mut source = folder.source();
    let mut positions = genesis(source.as_mut());
    source.assign(&positions).unwrap();
    read_on(source.as_mut(), &limits(10_000), &mut Records::new(), &mut positions);

    let other = packed(name, &lines(500_000, 540_000));
    fs::write(&path, &other[..bytes.min(other.len() / 2)]).unwrap();
    let mut source = folder.source();
    source.assign(&positions).unwrap();
    if let Err(lost) = look(source.as_mut(), &mut positions) {
        return lost;
    }
    fs::write(&path, &other).unwrap();
    if is_restarted {
        source = folder.source();
        source.assign(&positions).unwrap();
    }
    loop {
        if let Err(lost) = look(source.as_mut(), &mut positions) {
            return lost;
        }
    }
}

/// What there is of the other at first ends before the place where reading goes on.
#[test]
fn an_archive_that_is_just_being_replaced_is_not_read_on() {
    for name in ["a.json.gz", "a.json.zst"] {
        for (bytes, is_restarted) in
            [(14, false), (14, true), (usize::MAX, false), (usize::MAX, true)]
        {
            let lost = replace(name, bytes, is_restarted);
            let is_said = lost.to_string().contains("does not begin as it did");
            assert!(matches!(lost, SourceError::Lost(_)) && is_said, "{name}, {bytes}: {lost}");
        }
    }
}
