//! Values as 128 bits each, to be compared and hashed without a look at memory.
//!
//! ```text
//!  text of up to 15 bytes    its bytes, then zeros to byte 14; byte 15 is its length
//!  longer text               a hash of it in bytes 0 to 7; byte 15 is 254: whether two are equal, the texts must say
//!  null                      byte 15 is 255
//!  anything else             its 64 bits in bytes 0 to 7
//! ```

use super::pair_hash::text_hash;

/// Bytes of a text that are packed as they are.
const TEXT_BYTES_MAX: usize = 15;

/// Where the last byte stands, which says what the others are.
const TAG_SHIFT: u32 = 8 * TEXT_BYTES_MAX as u32;

/// A value. Those of one column are equal if what they stand for is, and only then if they are whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed(u128);

impl Packed {
    /// No value.
    pub const NULL: Self = Self(0xff << TAG_SHIFT);
    const LONG_TEXT: u128 = 0xfe << TAG_SHIFT;

    /// Two codes as one value.
    #[inline]
    pub fn pair(left: u32, right: u32) -> Self {
        Self(u128::from(left) | u128::from(right) << 32)
    }

    /// Whatever has so many bits.
    #[inline]
    pub fn long(bits: u64) -> Self {
        Self(u128::from(bits))
    }

    /// The text that begins at `at` in `bytes` and has `length` bytes.
    #[inline(always)]
    pub fn text(bytes: &[u8], at: usize, length: usize) -> Self {
        if length > TEXT_BYTES_MAX {
            return Self::long_text(&bytes[at..at + length]);
        }
        // What lies behind the text is its neighbour, and is masked.
        match bytes[at..].first_chunk() {
            Some(chunk) => Self::short_text(chunk, length),
            None => Self::short_text(&last_chunk(&bytes[at..]), length),
        }
    }

    /// The text that is the first `length` bytes of `chunk`, at most fifteen.
    #[inline(always)]
    pub fn short_text(chunk: &[u8; 16], length: usize) -> Self {
        debug_assert!(length <= TEXT_BYTES_MAX, "a longer text is not whole");
        let bits = 8 * length as u32;
        let word = u128::from_le_bytes(*chunk) & ((1 << bits) - 1);
        Self(word | (length as u128) << TAG_SHIFT)
    }

    #[inline(never)]
    fn long_text(text: &[u8]) -> Self {
        Self(Self::LONG_TEXT | u128::from(text_hash(text)))
    }

    /// Whether the value is all in here.
    #[inline(always)]
    pub fn is_whole(self) -> bool {
        self.0 >> TAG_SHIFT != Self::LONG_TEXT >> TAG_SHIFT
    }

    #[inline(always)]
    pub(super) fn halves(self) -> (u64, u64) {
        (self.0 as u64, (self.0 >> 64) as u64)
    }
}

/// Fewer than 16 bytes, with zeros behind them.
fn last_chunk(bytes: &[u8]) -> [u8; 16] {
    let mut chunk = [0; 16];
    chunk[..bytes.len()].copy_from_slice(bytes);
    chunk
}
