//! Bytes of a record eight or sixteen at a time, and what is found among them without a branch for each.

/// A byte in each place of a word.
const fn in_all(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

const LOW: u64 = in_all(0x01);
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

/// The highest bit of every byte that is zero; beyond the first of them perhaps of others.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// The highest bit of the first byte that a text does not have as it is: a quote, a backslash or a control character.
/// Beyond it perhaps of others.
#[inline(always)]
fn ends_of_text(word: u64) -> u64 {
    let control = word.wrapping_sub(in_all(0x20)) & !word & HIGH;
    zeros(word ^ in_all(b'"')) | zeros(word ^ in_all(b'\\')) | control
}

/// Sixteen bytes of a record, the first lowest.
#[derive(Clone, Copy)]
pub(super) struct Wide {
    low: u64,
    high: u64,
}

impl Wide {
    /// Those from `at` on; zeros beyond the last.
    #[inline(always)]
    pub(super) fn at(bytes: &[u8], at: usize) -> Self {
        match bytes.get(at..).and_then(<[u8]>::first_chunk) {
            Some(chunk) => Self::of(*chunk),
            None => Self::of(last_chunk(bytes, at)),
        }
    }

    #[inline(always)]
    fn of(chunk: [u8; 16]) -> Self {
        let wide = u128::from_le_bytes(chunk);
        Self { low: wide as u64, high: (wide >> 64) as u64 }
    }

    #[inline(always)]
    pub(super) fn bytes(self) -> [u8; 16] {
        (u128::from(self.high) << 64 | u128::from(self.low)).to_le_bytes()
    }

    /// How many stand before the first that a text does not have as it is. 16: all.
    #[inline(always)]
    pub(super) fn plain_text(self) -> usize {
        let low = ends_of_text(self.low).trailing_zeros() as usize / 8;
        let high = ends_of_text(self.high).trailing_zeros() as usize / 8;
        // The second word counts if the first has 8. Texts of a stream have lengths around that, so there is no branch.
        low + (high & (low >> 3).wrapping_neg())
    }
}

#[cold]
#[inline(never)]
fn last_chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut chunk = [0; N];
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
    /// Every second pair of digits.
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    // What follows them makes room for zeros in front.
    let word = (word ^ in_all(b'0')) << (64 - 8 * count);
    let word = word.wrapping_mul(10).wrapping_add(word >> 8);
    let high = (word & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let low = (word >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    (high.wrapping_add(low) >> 32).cast_signed()
}
