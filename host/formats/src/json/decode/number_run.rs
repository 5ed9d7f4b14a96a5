//! Numbers in an array that nobody wants: checked as JSON sixty-four bytes at a time, and passed over.
//!
//! A bit stands for each byte. What must stand beside what is then told of all numbers at once, by shifting and masking.

use super::skip::space;
use super::wide::Wide;

/// Bytes that are looked at together.
const WINDOW: usize = 64;

/// Where one call passes over fewer bytes, looking for numbers costs more than it saves: they are long, or written in
/// another way.
pub(super) const WORTHWHILE: usize = 32;

/// A bit for each byte of a window, the first lowest.
type Bits = u64;

/// Where which bytes stand in a window.
struct Window {
    digits: Bits,
    zeros: Bits,
    minuses: Bits,
    points: Bits,
    commas: Bits,
    spaces: Bits,
}

/// Where a value of an array begins, at `at` or behind numbers with their commas that stand there. A comma may have one space
/// behind it, as Python writes it. Whatever is not that is left to others, which judge it.
#[inline(always)]
pub(super) fn end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(passed) = Window::at(bytes, at).and_then(|window| window.numbers()) {
        at = space(bytes, at + passed);
    }
    at
}

impl Window {
    /// None: there are not as many bytes left.
    #[inline(always)]
    fn at(bytes: &[u8], at: usize) -> Option<Self> {
        let bytes: &[u8; WINDOW] = bytes.get(at..at.wrapping_add(WINDOW))?.first_chunk()?;
        let (parts, _) = bytes.as_chunks::<16>();
        Some(Self {
            digits: bits(parts, |part| part.digits()),
            zeros: bits(parts, |part| part.places(b'0')),
            minuses: bits(parts, |part| part.places(b'-')),
            points: bits(parts, |part| part.places(b'.')),
            commas: bits(parts, |part| part.places(b',')),
            spaces: bits(parts, |part| part.places(b' ')),
        })
    }

    /// How many bytes are numbers, each with its comma. The first begins with the window. None: there is none, or something else
    /// is among them.
    #[inline(always)]
    fn numbers(&self) -> Option<usize> {
        let Self { digits, zeros, minuses, points, commas, spaces } = *self;
        let known = digits | minuses | points | commas | spaces;
        let whole = commas & below(known.trailing_ones());
        let length = Bits::BITS - whole.leading_zeros();
        let behind_commas = commas << 1;
        let beginnings = 1 | behind_commas & !spaces | (behind_commas & spaces) << 1;
        let first_digits = beginnings & !minuses | (beginnings & minuses) << 1;
        // A point begins a run of digits; adding one there carries to the byte behind it. Without a digit that is the next byte.
        let ends_of_fractions = (digits.wrapping_add(points << 1)) & !digits;
        let wrong = spaces & !behind_commas
            | minuses & !beginnings
            | first_digits & !digits
            | (first_digits & zeros) << 1 & digits
            | (points | commas) & !(digits << 1)
            | ends_of_fractions & !commas;
        (length > 0 && wrong & below(length) == 0).then_some(length as usize)
    }
}

/// The bits that `of` has of each part, side by side.
#[inline(always)]
fn bits(parts: &[[u8; 16]], of: impl Fn(Wide<'_>) -> u32) -> Bits {
    let bits = |(place, part)| Bits::from(of(Wide::of(part))) << (16 * place);
    parts.iter().enumerate().map(bits).fold(0, |all, part| all | part)
}

/// The lowest `count` bits.
#[inline(always)]
fn below(count: u32) -> Bits {
    if count < Bits::BITS { (1 << count) - 1 } else { Bits::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(text: &str) -> &str {
        let padded = format!("{text}{}", "|".repeat(WINDOW));
        &text[..end(padded.as_bytes(), 0)]
    }

    #[test]
    fn numbers_with_their_commas_are_passed_over() {
        assert_eq!(passed("17,-3.5,0,204]"), "17,-3.5,0,");
        assert_eq!(passed("0.25, -17, 1"), "0.25, -17, ");
        let many = "-12.75,8, ".repeat(100);
        assert_eq!(passed(&(many.clone() + "1")), &many);
    }

    #[test]
    fn what_is_no_list_of_numbers_is_left_alone() {
        let wrong = [
            "1", ",", "1,,", "-,", "--1,", "1-,", "1-2,", "01,", "-01,", "1.,", ".5,", "-.5,",
            "1.2.3,", "1..2,", "1 ,", "1 2,", "1.5-2,", "1,-,", "1,-.5,", "1,  2,", "\"a\",1,",
        ];
        for text in wrong {
            assert_eq!(passed(text), "", "{text}");
        }
        assert_eq!(passed("1,2e5,3"), "1,", "an exponent is somebody else's");
        assert_eq!(passed("1, \"a\",2"), "1, ");
        assert_eq!(passed("1,\n  2,3"), "1,\n  2,", "white space before a window is passed over");
    }
}
