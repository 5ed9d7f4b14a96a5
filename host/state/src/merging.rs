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
        let mut sections = Sections::default();
        let kind = if keyed::snapshot::holds_keys(newest) {
            let over = keyed::resolve::Over::of(
                deltas,
                |_| true,
                |row| {
                    keyed::snapshot::push(&row, sections.for_row());
                    Ok(())
                },
            );
            Kind::Keys(over?)
        } else {
            let header = window::snapshot::read_header(newest)?;
            let over = window::resolve::Over::of(
                deltas,
                header,
                |_| true,
                |row| {
                    window::snapshot::push(&row, sections.for_row());
                    Ok(())
                },
            );
            Kind::Windows(over?)
        };
        Ok((Self(kind), sections.into_vec()))
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
        let mut sections = Sections::default();
        match &self.0 {
            Kind::Windows(over) => over.base(
                piece,
                |_| true,
                |row| {
                    window::snapshot::push(&row, sections.for_row());
                    Ok(())
                },
            )?,
            Kind::Keys(over) => over.base(
                piece,
                |_| true,
                |row| {
                    keyed::snapshot::push(&row, sections.for_row());
                    Ok(())
                },
            )?,
        }
        Ok(sections.into_vec())
    }
}
