//! What the compiler calls to compare bytes: eight at a time.
//!
//! `==`, `<`, `starts_with` and every search in texts end in `memcmp`. The one that comes with the target goes byte by
//! byte, and in a host that can stop a plugin each turn of its loop looks at the clock as well: two thirds of what a
//! filter costs that compares a prefix (docs/design/sandbox.md#where-the-nanoseconds-go). The target's is a weak
//! symbol, so that this one takes its place in every plugin.
#![expect(unsafe_code, reason = "the compiler hands over pointers")]

/// Less than, equal to or more than zero as the first `length` bytes of `left` are to those of `right`.
///
/// # Safety
///
/// Both have as many bytes.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, length: usize) -> i32 {
    // SAFETY: as the caller promises. Of the two words or halves the last is read with bytes before it that are known
    // to be equal.
    unsafe {
        match length {
            0 => 0,
            1..4 => order(few(left, length), few(right, length)),
            4..8 => {
                let (l, r) = (half(left), half(right));
                let rest = length - 4;
                if l != r {
                    order(l, r)
                } else {
                    order(half(left.add(rest)), half(right.add(rest)))
                }
            }
            _ => long(left, right, length),
        }
    }
}

/// Of at least eight bytes.
unsafe fn long(left: *const u8, right: *const u8, length: usize) -> i32 {
    // SAFETY: every word lies within both.
    unsafe {
        let last = length - 8;
        let mut at = 0;
        while at < last {
            let (l, r) = (word(left.add(at)), word(right.add(at)));
            if l != r {
                return order(l, r);
            }
            at += 8;
        }
        order(word(left.add(last)), word(right.add(last)))
    }
}

#[inline(always)]
unsafe fn word(at: *const u8) -> u64 {
    // SAFETY: as the caller promises.
    unsafe { at.cast::<u64>().read_unaligned() }
}

#[inline(always)]
unsafe fn half(at: *const u8) -> u64 {
    // SAFETY: as the caller promises.
    u64::from(unsafe { at.cast::<u32>().read_unaligned() })
}

/// One to three bytes; the middle ones may stand there twice.
#[inline(always)]
unsafe fn few(at: *const u8, length: usize) -> u64 {
    // SAFETY: as the caller promises.
    let byte = |index: usize| u64::from(unsafe { *at.add(index) });
    byte(0) | byte(length / 2) << 8 | byte(length - 1) << 16
}

/// Of two words whose first byte is the lowest: by the first byte that differs.
#[inline(always)]
fn order(left: u64, right: u64) -> i32 {
    if left == right {
        return 0;
    }
    let bits = (left ^ right).trailing_zeros() / 8 * 8;
    let byte = |word: u64| i32::from((word >> bits) as u8);
    byte(left) - byte(right)
}

#[cfg(test)]
mod tests {
    use super::memcmp;

    /// Bytes of every length that a path is for, and every place where two may differ first.
    #[test]
    fn the_order_is_that_of_slices() {
        for length in 0..40 {
            let left: Vec<u8> = (0..length).map(|at| (at * 37 % 251) as u8).collect();
            let mut others = vec![left.clone()];
            for at in 0..left.len() {
                for (value, behind) in [(0, 255), (255, 0), (left[at] ^ 0x80, 7)] {
                    let mut other = left.clone();
                    other[at] = value;
                    // What stands behind the first difference decides nothing.
                    other[at + 1..].fill(behind);
                    others.push(other);
                }
            }
            for right in &others {
                // SAFETY: both have `length` bytes.
                let order = unsafe { memcmp(left.as_ptr(), right.as_ptr(), left.len()) };
                assert_eq!(order.cmp(&0), left.cmp(right), "{left:?} to {right:?}");
            }
        }
    }
}
