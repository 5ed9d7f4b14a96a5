//! Sixteen bytes of a record at once: which of them end a text, and which are digits.
//!
//! The one room of this crate with unsafe code, for a few instructions that every x86-64 has. Elsewhere the same is told
//! byte by byte, which is also what the tests compare with.

/// Sixteen bytes of a record, the first lowest.
#[derive(Clone, Copy)]
pub(super) struct Wide<'b>(&'b [u8; 16]);

/// A bit for each of the sixteen bytes, the first lowest.
type Mask = u32;

impl<'b> Wide<'b> {
    /// Those from `at` on. None: there are not as many left.
    #[inline(always)]
    pub(super) fn at(bytes: &'b [u8], at: usize) -> Option<Self> {
        bytes.get(at..at.wrapping_add(16))?.first_chunk().map(Self)
    }

    #[inline(always)]
    pub(super) fn of(bytes: &'b [u8; 16]) -> Self {
        Self(bytes)
    }

    #[inline(always)]
    pub(super) fn bytes(self) -> &'b [u8; 16] {
        self.0
    }

    /// The one in a place, which is counted modulo 16.
    #[inline(always)]
    pub(super) fn byte(self, place: usize) -> u8 {
        self.0[place % 16]
    }

    /// Whether they are `head` with nothing but what `mask` leaves of them.
    #[inline(always)]
    pub(super) fn agrees(self, head: &[u8; 16], mask: &[u8; 16]) -> bool {
        agree(self.0, head, mask)
    }

    /// As one number.
    #[inline(always)]
    pub(super) fn number(self) -> u128 {
        u128::from_le_bytes(*self.0)
    }

    /// How many stand before the first that a text does not have as it is: a quote, a backslash or a control character.
    /// 16: all.
    #[inline(always)]
    pub(super) fn plain_text(self) -> usize {
        (ends_of_text(self.0) | 1 << 16).trailing_zeros() as usize
    }

    /// Which are digits.
    #[inline(always)]
    pub(super) fn digits(self) -> Mask {
        digits(self.0)
    }

    /// Which are this byte.
    #[inline(always)]
    pub(super) fn places(self, byte: u8) -> Mask {
        places(self.0, byte)
    }
}

#[cfg(target_arch = "x86_64")]
use sse2::{agree, digits, ends_of_text, places};

#[cfg(not(target_arch = "x86_64"))]
use portable::{agree, digits, ends_of_text, places};

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "instructions that have no other name")]
mod sse2 {
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set_epi64x, _mm_set1_epi8, _mm_sub_epi8,
    };

    use super::Mask;

    #[inline(always)]
    pub(super) fn ends_of_text(chunk: &[u8; 16]) -> Mask {
        // SAFETY: SSE2 is a part of x86-64, whatever the processor.
        unsafe {
            let bytes = load(chunk);
            let quotes = _mm_cmpeq_epi8(bytes, in_all(b'"'));
            let backslashes = _mm_cmpeq_epi8(bytes, in_all(b'\\'));
            let controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, in_all(0x1f)), bytes);
            mask(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls))
        }
    }

    #[inline(always)]
    pub(super) fn digits(chunk: &[u8; 16]) -> Mask {
        // SAFETY: as above.
        unsafe {
            let bytes = _mm_sub_epi8(load(chunk), in_all(b'0'));
            mask(_mm_cmpeq_epi8(_mm_min_epu8(bytes, in_all(9)), bytes))
        }
    }

    #[inline(always)]
    pub(super) fn places(chunk: &[u8; 16], byte: u8) -> Mask {
        // SAFETY: as above.
        unsafe { mask(_mm_cmpeq_epi8(load(chunk), in_all(byte))) }
    }

    #[inline(always)]
    pub(super) fn agree(chunk: &[u8; 16], head: &[u8; 16], mask: &[u8; 16]) -> bool {
        // SAFETY: as above.
        let equal = unsafe {
            let masked = _mm_and_si128(load(chunk), load(mask));
            self::mask(_mm_cmpeq_epi8(masked, load(head)))
        };
        equal == 0xffff
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(chunk: &[u8; 16]) -> __m128i {
        let number = u128::from_le_bytes(*chunk);
        _mm_set_epi64x((number >> 64) as i64, number as i64)
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn in_all(byte: u8) -> __m128i {
        _mm_set1_epi8(byte.cast_signed())
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn mask(bytes: __m128i) -> Mask {
        _mm_movemask_epi8(bytes).cast_unsigned()
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use super::Mask;

    #[inline(always)]
    pub(super) fn ends_of_text(chunk: &[u8; 16]) -> Mask {
        mask(chunk, |byte| matches!(byte, b'"' | b'\\' | 0..0x20))
    }

    #[inline(always)]
    pub(super) fn digits(chunk: &[u8; 16]) -> Mask {
        mask(chunk, |byte| byte.is_ascii_digit())
    }

    #[inline(always)]
    pub(super) fn places(chunk: &[u8; 16], byte: u8) -> Mask {
        mask(chunk, |other| other == byte)
    }

    #[inline(always)]
    pub(super) fn agree(chunk: &[u8; 16], head: &[u8; 16], mask: &[u8; 16]) -> bool {
        chunk.iter().zip(mask).zip(head).all(|((byte, mask), head)| byte & mask == *head)
    }

    #[inline(always)]
    fn mask(chunk: &[u8; 16], is_one: impl Fn(u8) -> bool) -> Mask {
        let bits = chunk.iter().enumerate().map(|(place, byte)| Mask::from(is_one(*byte)) << place);
        bits.fold(0, |mask, bit| mask | bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_told_in_each_place() {
        for byte in 0..=u8::MAX {
            for place in 0..16 {
                let mut chunk = *b"a text, a text, ";
                chunk[place] = byte;
                chunk[(place + 5) % 16] = byte ^ 0x80;
                assert_eq!(
                    ends_of_text(&chunk),
                    portable::ends_of_text(&chunk),
                    "{byte} at {place}"
                );
                assert_eq!(digits(&chunk), portable::digits(&chunk), "{byte} at {place}");
                for byte in [byte, byte ^ 0x80, b't'] {
                    assert_eq!(places(&chunk, byte), portable::places(&chunk, byte), "{byte}");
                }
            }
        }
        assert_eq!(digits(b"12.5x67890/:;,00"), 0b1100_0011_1110_1011);
        assert_eq!(places(b"12.5x67890/:;.00", b'.'), 0b0010_0000_0000_0100);
    }

    #[test]
    fn bytes_agree_where_they_are_asked_for() {
        let agree = |chunk: &[u8; 16], head: &[u8; 16], mask: &[u8; 16]| {
            let agrees = agree(chunk, head, mask);
            assert_eq!(agrees, portable::agree(chunk, head, mask));
            agrees
        };
        let (mut head, mut mask) = ([0; 16], [0; 16]);
        for place in 0..16 {
            (head[place], mask[place]) = (b'a' + place as u8, 0xff);
            let mut chunk = head;
            chunk[place + 1..].fill(b'?');
            assert!(agree(&chunk, &head, &mask));
            chunk[place] ^= 0x80;
            assert!(!agree(&chunk, &head, &mask));
        }
    }

    #[test]
    fn a_text_ends_where_it_does() {
        let plain_text = |text: &str| Wide::at(text.as_bytes(), 0).map(Wide::plain_text);
        assert_eq!(plain_text("store-12\", \"item"), Some(8));
        assert_eq!(plain_text("sixteen bytes é and more"), Some(16));
        assert_eq!(plain_text("fifteen bytes\","), None);
    }
}
