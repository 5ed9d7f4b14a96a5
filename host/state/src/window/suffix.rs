//! The panes of a block of sliding windows, merged from the right.

use std::collections::BTreeMap;

use sluicegate_model::varlen::Varlen;

use super::groups::GroupTable;
use super::merged::{GroupPart, Merge, Pairs, RefusedMerge};

/// The panes of a block, merged from the right: for each pane and each of its keys the accumulator of this pane and
/// all behind it.
#[derive(Debug, Default)]
pub(super) struct Suffix {
    pub(super) block: Option<i128>,
    /// Every key of the block; the accumulators here are unused.
    keys: GroupTable,
    /// For each key where its accumulator from the present beginning on stands, if it has one.
    tops: Vec<Option<Spot>>,
    /// One a pane that has rows, the last pane first.
    levels: Vec<Level>,
    refused: BTreeMap<Spot, RefusedMerge>,
    levels_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    level: u32,
    entry: u32,
}

#[derive(Debug, Default)]
struct Level {
    pane: i128,
    /// The keys of the pane.
    keys: Vec<u32>,
    /// Of each the accumulator from this pane on.
    states: Varlen,
    /// Of each where the next pane with that key has it.
    behind: Vec<Option<Spot>>,
}

impl Suffix {
    pub(super) fn of(block: i128) -> Self {
        Self { block: Some(block), ..Self::default() }
    }

    /// Adds the pane to the left of those that are there.
    pub(super) fn push<'a>(
        &mut self,
        pane: i128,
        parts: impl Iterator<Item = GroupPart<'a>>,
        merge: &mut Merge<'_>,
    ) {
        let number = u32::try_from(self.levels.len()).expect("a block has fewer panes");
        let mut level = Level { pane, ..Level::default() };
        let mut pairs = Pairs::default();
        for GroupPart { hash, key, state } in parts {
            let id = self.keys.find_or_insert(hash, key);
            self.tops.resize(self.keys.len(), None);
            let entry = u32::try_from(level.keys.len()).expect("groups are counted in 32 bits");
            let behind = self.tops[id as usize].replace(Spot { level: number, entry });
            level.keys.push(id);
            level.behind.push(behind);
            let state = state.expect("panes are not merged");
            match behind {
                None => level.states.push(state),
                Some(spot) => {
                    if let Some(refused) = self.refused.get(&spot) {
                        let refused = refused.clone();
                        self.refused.insert(Spot { level: number, entry }, refused);
                        level.states.push(&[]);
                        continue;
                    }
                    pairs.push(entry, state, self.state(spot));
                    // Its place is filled when the pairs are merged.
                    level.states.push(&[]);
                }
            }
        }
        self.settle(number, &mut level, &pairs, merge);
        self.levels_bytes += level.bytes();
        self.levels.push(level);
    }

    fn settle(&mut self, number: u32, level: &mut Level, pairs: &Pairs, merge: &mut Merge<'_>) {
        if pairs.ids.is_empty() {
            return;
        }
        let (merged, refused) = pairs.merge(merge);
        let mut merged = pairs.ids.iter().zip(merged.iter()).peekable();
        let mut states = Varlen::with_capacity(level.keys.len(), level.states.bytes.len());
        for entry in 0..level.keys.len() {
            match merged.next_if(|(id, _)| **id as usize == entry) {
                Some((_, state)) => states.push(state),
                None => states.push(level.states.value(entry)),
            }
        }
        level.states = states;
        for (at, refused) in refused {
            self.refused.insert(Spot { level: number, entry: pairs.ids[at] }, refused);
        }
    }

    fn state(&self, spot: Spot) -> &[u8] {
        self.levels[spot.level as usize].states.value(spot.entry as usize)
    }

    /// Forgets the panes before `pane`.
    pub(super) fn begin_at(&mut self, pane: i128) {
        while let Some(level) = self.levels.pop_if(|level| level.pane < pane) {
            self.levels_bytes -= level.bytes();
            for (key, behind) in level.keys.iter().zip(&level.behind) {
                self.tops[*key as usize] = *behind;
            }
        }
    }

    /// Every key that has rows from the present beginning on.
    pub(super) fn parts(&self) -> impl Iterator<Item = GroupPart<'_>> {
        let part = |(id, top): (u32, &Option<Spot>)| {
            let spot = (*top)?;
            let state = match self.refused.get(&spot) {
                Some(refused) => Err(refused),
                None => Ok(self.state(spot)),
            };
            Some(GroupPart { hash: self.keys.hash(id), key: self.keys.key(id), state })
        };
        (0..).zip(&self.tops).filter_map(part)
    }

    /// Bytes held. Looks at no level.
    pub(super) fn bytes(&self) -> usize {
        let tops = self.tops.len() * size_of::<Option<Spot>>();
        self.keys.bytes() + tops + self.levels_bytes
    }
}

impl Level {
    fn bytes(&self) -> usize {
        self.states.bytes.len()
            + (self.states.offsets.len() + self.keys.len()) * size_of::<u32>()
            + self.behind.len() * size_of::<Option<Spot>>()
    }
}
