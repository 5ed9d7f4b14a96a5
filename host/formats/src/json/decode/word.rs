//! Bytes of a record eight at a time, and what is found among them without a branch for each.

/// A byte in each place of a word.
const fn in_all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

const HIGH: u64 = in_all(0x80);

/// The byte at `at`; 0, which stands in no JSON, beyond the last.
#[inline(always)]
pub(super) fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// The eight bytes from `at` on, the first lowest; zeros beyond the last.
#[inline(always)]
pub(super) fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(chunk) => *chunk,
        None => last_chunk(bytes, at),
    })
}

/// As many bytes from `at` on as there are; zeros beyond the last.
#[cold]
#[inline(never)]
fn last_chunk(bytes: &[u8], at: usize) -> [u8; 8] {
    let mut chunk = [0; 8];
    let rest = bytes.get(at..).unwrap_or_default();
    chunk.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    chunk
}

/// How many bytes of the word stand before the first that is no digit. 8: all.
#[inline(always)]
pub(super) fn digits(word: u64) -> usize {
    let word = word ^ in_all(b'0');
    // The highest bit of every byte above 9; beyond the first of them perhaps of others.
    let other = (word.wrapping_add(in_all(0x76)) | word) & HIGH;
    other.trailing_zeros() as usize / 8
}

/// The number that the first `count` bytes of the word write, which are digits, at least one.
#[inline(always)]
pub(super) fn number(word: u64, count: usize) -> i64 {
    // What follows them makes room for zeros in front.
    eight_digits((word ^ in_all(b'0')) << (64 - 8 * count))
}

/// The same of sixteen bytes.
#[inline(always)]
pub(super) fn long_number(wide: u128, count: usize) -> i64 {
    let wide = (wide ^ u128::from_ne_bytes([b'0'; 16])) << (128 - 8 * count);
    eight_digits(wide as u64) * 100_000_000 + eight_digits((wide >> 64) as u64)
}

/// The number of eight digits, each in a byte of its own, the first lowest.
#[inline(always)]
fn eight_digits(word: u64) -> i64 {
    /// Every second pair of digits.
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let word = word.wrapping_mul(10).wrapping_add(word >> 8);
    let high = (word & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let low = (word >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    (high.wrapping_add(low) >> 32).cast_signed()
}
