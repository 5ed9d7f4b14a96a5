//! What is put compressed below the lane's folder: pieces of states, and outboxes.

use std::io::Write;

use bytes::Bytes;

/// A larger piece is not made unless there would be too many: so much is compressed, sent and read by itself.
pub(super) const PIECE_BYTES: usize = 32 << 20;

/// Speed over size: what one epoch leaves is read at most once.
const ZSTD_LEVEL: i32 = 1;

/// Something on its way into an object.
pub(super) struct Packing {
    encoder: zstd::Encoder<'static, Vec<u8>>,
    plain: usize,
}

const MEMORY: &str = "memory can be written to";

impl Packing {
    /// `first` is what it begins with.
    pub(super) fn begin(first: &[u8]) -> Self {
        let encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL).expect(MEMORY);
        let mut packing = Self { encoder, plain: 0 };
        packing.add(first);
        packing
    }

    pub(super) fn add(&mut self, part: &[u8]) {
        self.plain += part.len();
        self.encoder.write_all(part).expect(MEMORY);
    }

    /// Bytes so far, not compressed.
    pub(super) fn plain(&self) -> usize {
        self.plain
    }

    pub(super) fn end(self) -> Bytes {
        self.encoder.finish().expect(MEMORY).into()
    }
}

/// The parts, one behind the other, without a copy of all of them.
pub(super) fn packed<'p>(first: &[u8], rest: impl Iterator<Item = &'p [u8]>) -> Bytes {
    let mut packing = Packing::begin(first);
    rest.for_each(|part| packing.add(part));
    packing.end()
}
