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
}

impl Default for Bases {
    fn default() -> Self {
        Self { deltas_from: 128 << 10, deltas_max: 32, deltas_percent: 50 }
    }
}

impl Bases {
    /// Whether the next record is to have a base. `state` is what the newest names.
    pub(super) fn is_due(&self, state: Option<&StateRef>) -> bool {
        let Some(state) = state else { return true };
        let base = state.base_bytes();
        let deltas = state.bytes().saturating_sub(base);
        let most = base.saturating_mul(self.deltas_percent) / 100;
        base < self.deltas_from || state.deltas() >= self.deltas_max || deltas > most
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
}
