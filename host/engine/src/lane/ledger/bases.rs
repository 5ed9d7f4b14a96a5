//! When a checkpoint writes all of the state, and not what has changed only (docs/design/state.md#when-a-base-is-written).

use sluicegate_chain::record::StateRef;

/// It decides nothing but what checkpoints and openings cost.
#[derive(Clone, Copy, Debug)]
pub struct Bases {
    /// A base that has less is written at every barrier, bytes, compressed: that is cheaper than to keep a delta.
    pub deltas_from: u64,
    /// More deltas than these are not put on a base: an opening reads them all.
    pub deltas_max: usize,
    /// Nor are deltas that have more than this part of its bytes, in hundredths.
    pub deltas_percent: u64,
    /// From so much on, bytes, compressed, a base is merged of what is stored, beside the lane. Encoding it would hold the lane up.
    /// The lane writes one only if twice as much has come together.
    pub merged_from: u64,
}

impl Default for Bases {
    fn default() -> Self {
        Self { deltas_from: 128 << 10, deltas_max: 32, deltas_percent: 50, merged_from: 4 << 20 }
    }
}

impl Bases {
    /// Whether the next record is to have a base. `state` is what the newest names.
    pub(super) fn is_due(&self, state: Option<&StateRef>) -> bool {
        let Some(state) = state else { return true };
        let base = state.base_bytes();
        base < self.deltas_from || self.has_full(state, if base < self.merged_from { 1 } else { 2 })
    }

    /// Whether the pieces of a state are to be merged beside the lane.
    pub(super) fn is_merge_due(&self, state: &StateRef) -> bool {
        state.base_bytes() >= self.merged_from && state.deltas() > 0 && self.has_full(state, 1)
    }

    /// Whether a state has so many times the deltas that go on a base.
    fn has_full(&self, state: &StateRef, times: usize) -> bool {
        let base = state.base_bytes();
        let deltas = state.bytes().saturating_sub(base);
        let most = base.saturating_mul(self.deltas_percent) / 100;
        state.deltas() >= self.deltas_max.saturating_mul(times)
            || deltas > most.saturating_mul(times as u64)
    }
}

#[cfg(test)]
mod tests {
    use sluicegate_chain::record::Piece;

    use super::*;

    fn state(base: u64, deltas: &[u64]) -> StateRef {
        let piece = |bytes, delta| {
            let (key, sha256) = (String::new(), String::new());
            Piece { key, bytes, sha256, delta }
        };
        let deltas = deltas.iter().map(|bytes| piece(*bytes, true));
        StateRef { groups: 1, pieces: std::iter::once(piece(base, false)).chain(deltas).collect() }
    }

    #[test]
    fn a_base_is_due_when_there_is_none_or_it_is_small_or_the_deltas_are_many_or_large() {
        let is_due = |state| Bases::default().is_due(Some(&state));
        assert!(Bases::default().is_due(None));
        assert!(is_due(state(131_071, &[])) && !is_due(state(131_072, &[])));
        assert!(is_due(state(1 << 20, &[1; 32])) && !is_due(state(1 << 20, &[1; 31])));
        assert!(is_due(state(200_000, &[50_000, 50_001])));
        assert!(!is_due(state(200_000, &[50_000, 50_000])));
    }

    #[test]
    fn a_large_base_is_merged_beside_the_lane_before_the_lane_would_write_it() {
        const LARGE: u64 = 4 << 20;
        let bases = Bases::default();
        for (deltas, is_merged, is_due) in [
            (0, false, false),
            (31, false, false),
            (32, true, false),
            (63, true, false),
            (64, true, true),
        ] {
            let large = state(LARGE, &vec![1; deltas]);
            assert_eq!(
                (bases.is_merge_due(&large), bases.is_due(Some(&large))),
                (is_merged, is_due)
            );
            assert!(
                !bases.is_merge_due(&state(LARGE - 1, &vec![1; deltas])),
                "the lane is as fast"
            );
        }
        assert!(!bases.is_merge_due(&state(LARGE, &[LARGE / 2])));
        assert!(bases.is_merge_due(&state(LARGE, &[LARGE / 2, 1])));
        assert!(!bases.is_due(Some(&state(LARGE, &[LARGE]))));
        assert!(bases.is_due(Some(&state(LARGE, &[LARGE, 1]))));
    }
}
