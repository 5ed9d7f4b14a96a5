//! Where lines end among bytes.
//!
//! Lines of a stream are short. To search for each end anew costs more than to look at all bytes, 64 at a time, and to
//! take the ends from a mask of them. The one room with unsafe code for files, for a few instructions that every x86-64
//! has. Elsewhere the mask is made byte by byte, which is also what the test compares with.

/// So many bytes have a mask: a bit each, the first lowest.
const BLOCK: usize = 64;

/// Calls with each place behind a line end among the bytes from `from` on, ascending.
#[inline]
pub(super) fn each_line_end(bytes: &[u8], from: usize, mut call: impl FnMut(usize)) {
    let (blocks, rest) = bytes[from..].as_chunks::<BLOCK>();
    let mut start = from;
    for block in blocks {
        each_bit(line_ends(block), |bit| call(start + bit + 1));
        start += BLOCK;
    }
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    each_bit(line_ends(&last), |bit| call(start + bit + 1));
}

#[inline(always)]
fn each_bit(mut mask: u64, mut call: impl FnMut(usize)) {
    while mask != 0 {
        call(mask.trailing_zeros() as usize);
        mask &= mask - 1;
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(unsafe_code, reason = "instructions that have no other name")]
fn line_ends(block: &[u8; BLOCK]) -> u64 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    let (parts, _) = block.as_chunks::<16>();
    let part = |index: usize| {
        let number = u128::from_le_bytes(parts[index]);
        // SAFETY: SSE2 is a part of x86-64, whatever the processor.
        let mask = unsafe {
            let bytes = _mm_set_epi64x((number >> 64) as i64, number as i64);
            _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\n'.cast_signed())))
        };
        u64::from(mask.cast_unsigned()) << (16 * index)
    };
    part(0) | part(1) | part(2) | part(3)
}

#[cfg(not(target_arch = "x86_64"))]
use portable::line_ends;

#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use super::BLOCK;

    #[inline(always)]
    pub(super) fn line_ends(block: &[u8; BLOCK]) -> u64 {
        let bits = block.iter().enumerate();
        bits.fold(0, |mask, (place, byte)| mask | u64::from(*byte == b'\n') << place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_found_once_wherever_it_stands() {
        for length in 0..200 {
            for every in 1..70 {
                let bytes: Vec<u8> = (0..length)
                    .map(|at| if at % every == 0 { b'\n' } else { b'\n' ^ 0x80 })
                    .collect();
                let from = length.min(every / 2);
                let mut ends = Vec::new();
                each_line_end(&bytes, from, |end| ends.push(end));
                let expected: Vec<usize> =
                    memchr::memchr_iter(b'\n', &bytes).map(|at| at + 1).collect();
                let behind = expected.partition_point(|end| *end <= from);
                assert_eq!(ends, expected[behind..], "{length} bytes, every {every}th");
            }
        }
    }

    #[test]
    fn the_mask_is_the_same_byte_by_byte() {
        for byte in 0..=u8::MAX {
            let block: [u8; BLOCK] =
                std::array::from_fn(|at| if at % 7 == 3 { byte } else { 0x0b });
            assert_eq!(line_ends(&block), portable::line_ends(&block), "{byte}");
        }
    }
}
