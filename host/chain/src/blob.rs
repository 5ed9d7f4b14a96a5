//! What lies compressed below the lane's folder: pieces of state, and outboxes.

use std::io::Write;

/// Speed over size: what one epoch leaves is read at most once.
const ZSTD_LEVEL: i32 = 1;

/// What was stored of something.
pub(super) struct Blob {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The parts, one behind the other, without a copy of all of them.
pub(super) fn compressed<'p>(plain: impl Iterator<Item = &'p [u8]>) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
    for part in plain {
        encoder.write_all(part)?;
    }
    encoder.finish()
}
