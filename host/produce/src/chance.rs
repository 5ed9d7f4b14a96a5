//! Chance and delay: what the generators share. All by integers, so that every machine makes the same bytes.

use std::time::Duration;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::RngCore;

/// A part of the events that is behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay {
    /// 0 to 1.
    pub share: f64,
    /// How far.
    pub by: Duration,
}

/// How far events are behind the clock of their generator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lags {
    out_of_order: Duration,
    late: Duration,
    /// Bounds of a 32-bit number: below the first late, below the second out of order.
    below: (u64, u64),
}

impl Lags {
    /// The one part is up to so much behind, the other so much to twice as much.
    pub(super) fn new(out_of_order: Delay, late: Delay) -> Self {
        Self {
            out_of_order: out_of_order.by,
            late: late.by,
            below: (bound(late.share), bound(late.share + out_of_order.share)),
        }
    }

    /// How far behind an event is, by the luck of the draw.
    #[inline]
    pub(super) fn micros(&self, fate: u32, amount: u32) -> i64 {
        let part = |by: Duration| {
            let micros = (u128::from(amount) * by.as_micros()) >> 32;
            i64::try_from(micros).unwrap_or(i64::MAX)
        };
        let (late, out_of_order) = self.below;
        if u64::from(fate) < late {
            let least = i64::try_from(self.late.as_micros()).unwrap_or(i64::MAX);
            least.saturating_add(part(self.late))
        } else if u64::from(fate) < out_of_order {
            part(self.out_of_order)
        } else {
            0
        }
    }
}

/// Event time of event number `made` that is on time, at `rate` events a second.
#[inline]
pub(super) fn moment(start_micros: i64, made: u64, rate: u64) -> i64 {
    let elapsed = u128::from(made) * 1_000_000 / u128::from(rate.max(1));
    start_micros.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX))
}

/// Two random numbers of 32 bits.
#[inline]
pub(super) fn draw(random: &mut Pcg64Mcg) -> (u32, u32) {
    let bits = random.next_u64();
    #[expect(clippy::cast_possible_truncation, reason = "the halves are meant")]
    ((bits >> 32) as u32, bits as u32)
}

/// `random / 2^32` scaled to `0..bound`.
#[inline]
pub(super) fn below(random: u32, bound: u32) -> u32 {
    // Less than `bound`, so that nothing is cut off.
    ((u64::from(random) * u64::from(bound)) >> 32) as u32
}

/// The share as a part of 2^32; 1 is certain.
pub(super) fn bound(share: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^32")]
    let bound = (share.clamp(0.0, 1.0) * 4_294_967_296.0).round() as u64;
    bound
}
