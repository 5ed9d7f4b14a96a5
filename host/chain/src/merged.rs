//! A base that is made of stored pieces, beside the lane, and takes their place (docs/design/state.md#merging).

use bytes::Bytes;

use super::blobs::{PIECE_BYTES, Packing};
use super::pieces::{Piece, StateRef};

/// After so many pieces the next may be twice as large: records stay small.
const PIECES_OF_A_SIZE: usize = 32;

/// Pieces that stand for the first ones of a state, and are not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedBase {
    /// What they stand for: the base and the deltas that were on it.
    of: Vec<Piece>,
    /// Compressed.
    packed: Vec<Bytes>,
}

impl MergedBase {
    /// Bytes that are to be stored.
    pub fn bytes(&self) -> u64 {
        self.packed.iter().map(|piece| piece.len() as u64).sum()
    }

    /// What is to be stored in their place.
    pub(super) fn packed(&self) -> &[Bytes] {
        &self.packed
    }

    /// Those pieces of a state that came later; none if it has others now.
    pub(super) fn later<'s>(&self, state: &'s StateRef) -> Option<&'s [Piece]> {
        state.pieces.strip_prefix(&*self.of)
    }
}

/// Compresses what is merged as it comes.
pub struct MergedPacking {
    header: Vec<u8>,
    packed: Vec<Bytes>,
    piece: Option<Packing>,
}

impl MergedPacking {
    /// Each piece begins with `header`.
    pub fn new(header: Vec<u8>) -> Self {
        Self { header, packed: Vec::new(), piece: None }
    }

    /// Appends sections: rows do not lie across them.
    pub fn add(&mut self, sections: &[Vec<u8>]) {
        for section in sections {
            let piece = self.piece.get_or_insert_with(|| Packing::begin(&self.header));
            piece.add(section);
            if piece.plain() >= PIECE_BYTES << (self.packed.len() / PIECES_OF_A_SIZE) {
                self.packed.extend(self.piece.take().map(Packing::end));
            }
        }
    }

    /// Bytes that it holds, about.
    pub fn bytes(&self) -> u64 {
        let packed = self.packed.iter().map(Bytes::len).sum::<usize>();
        (packed + self.piece.as_ref().map_or(0, Packing::plain)) as u64
    }

    /// All of it. It stands for these pieces.
    pub fn end(mut self, of: Vec<Piece>) -> MergedBase {
        if self.packed.is_empty() && self.piece.is_none() {
            // What stands in the header may matter.
            self.piece = Some(Packing::begin(&self.header));
        }
        self.packed.extend(self.piece.map(Packing::end));
        MergedBase { of, packed: self.packed }
    }
}
