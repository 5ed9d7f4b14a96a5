//! A base and the deltas on it → a base that stands for all of them, piece by piece.
//!
//! Deltas are in memory while it goes on, and one piece of the base at a time, however large it is.

use crate::keyed;
use crate::sections::Sections;
use crate::window;
use crate::window::snapshot::SnapshotError;

/// Deltas on a base that is not read yet. They are of windows or of keys, as their first bytes say.
pub struct Merging<'d>(Kind<'d>);

enum Kind<'d> {
    Windows(window::resolve::Over<'d>),
    Keys(keyed::resolve::Over<'d>),
}

impl<'d> Merging<'d> {
    /// Of deltas, the oldest first. Also returns the rows of theirs that stand, as sections.
    ///
    /// # Errors
    ///
    /// Something is no delta.
    pub fn of(deltas: &'d [Vec<u8>]) -> Result<(Self, Vec<Vec<u8>>), SnapshotError> {
        let newest = deltas.last().ok_or(SnapshotError { at: 0, what: "a delta" })?;
        let (kind, sections) = if keyed::snapshot::holds_keys(newest) {
            let (over, sections) = rows(keyed::snapshot::push, |each| {
                keyed::resolve::Over::of(deltas, |_| true, each)
            })?;
            (Kind::Keys(over), sections)
        } else {
            let header = window::snapshot::read_header(newest)?;
            let (over, sections) = rows(window::snapshot::push, |each| {
                window::resolve::Over::of(deltas, header, |_| true, each)
            })?;
            (Kind::Windows(over), sections)
        };
        Ok((Self(kind), sections))
    }

    /// What each piece of the merged base begins with.
    pub fn header(&self) -> Vec<u8> {
        match &self.0 {
            Kind::Windows(over) => over.whole_header(),
            Kind::Keys(_) => keyed::snapshot::header(),
        }
    }

    /// The rows of a piece of the base that stand, as sections.
    ///
    /// # Errors
    ///
    /// It is no piece.
    pub fn base(&self, piece: &[u8]) -> Result<Vec<Vec<u8>>, SnapshotError> {
        let ((), sections) = match &self.0 {
            Kind::Windows(over) => {
                rows(window::snapshot::push, |each| over.base(piece, |_| true, each))?
            }
            Kind::Keys(over) => {
                rows(keyed::snapshot::push, |each| over.base(piece, |_| true, each))?
            }
        };
        Ok(sections)
    }
}

/// What `read` answers, and the rows that it hands on, each written by `push`, as sections.
fn rows<R, T>(
    push: impl Fn(&R, &mut Vec<u8>),
    read: impl FnOnce(&mut dyn FnMut(R) -> Result<(), &'static str>) -> Result<T, SnapshotError>,
) -> Result<(T, Vec<Vec<u8>>), SnapshotError> {
    let mut sections = Sections::default();
    let read = read(&mut |row| {
        push(&row, sections.for_row());
        Ok(())
    })?;
    Ok((read, sections.into_vec()))
}
