//! Accumulators of the same keys, merged by the plugin: many groups a call, earlier rows left.

use std::collections::BTreeMap;

use sluicegate_model::refusal::{GroupRefusal, MergeOutcome};
use sluicegate_model::varlen::Varlen;

use super::firing::GROUPS_PER_CALL;
use super::groups::GroupTable;
use super::hash::TableHash;

/// The plugin's `merge` of equally many accumulators.
pub type Merge<'m> = dyn FnMut(&Varlen, &Varlen) -> MergeOutcome + 'm;

/// Two accumulators that the plugin could not merge. Whoever asked for the group dead-letters both.
#[derive(Clone, Debug)]
pub struct RefusedMerge {
    /// Accumulator of the earlier rows, as the plugin wrote it.
    pub left: Vec<u8>,
    /// Accumulator of the later rows, as the plugin wrote it.
    pub right: Vec<u8>,
    /// How the call of `merge` failed, and the words for it.
    pub refusal: GroupRefusal,
}

/// One key that is to be merged into others.
#[derive(Clone, Copy)]
pub(super) struct GroupPart<'a> {
    pub(super) hash: TableHash,
    pub(super) key: &'a [u8],
    /// The accumulator, or why there is none.
    pub(super) state: Result<&'a [u8], &'a RefusedMerge>,
}

/// Accumulators of keys, each merged from several panes; a merge that failed stands in its place.
#[derive(Debug, Default)]
pub struct Merged {
    groups: GroupTable,
    /// Those that could not be merged, by their group.
    refused: BTreeMap<u32, RefusedMerge>,
}

impl Merged {
    /// Adds parts, each behind what its key has already. No key stands twice among the parts.
    pub(super) fn add<'a>(
        &mut self,
        parts: impl Iterator<Item = GroupPart<'a>>,
        merge: &mut Merge<'_>,
    ) {
        let mut pairs = Pairs::default();
        for GroupPart { hash, key, state } in parts {
            let id = self.groups.find_or_insert(hash, key);
            match state {
                _ if self.refused.contains_key(&id) => {}
                Err(refused) => {
                    self.groups.adopt(id, &[]);
                    self.refused.insert(id, refused.clone());
                }
                Ok(state) if self.groups.has_rows(id) => {
                    pairs.push(id, self.groups.state(id), state);
                    if pairs.ids.len() == GROUPS_PER_CALL {
                        self.settle(&mut pairs, merge);
                    }
                }
                Ok(state) => self.groups.adopt(id, state),
            }
        }
        self.settle(&mut pairs, merge);
    }

    fn settle(&mut self, pairs: &mut Pairs, merge: &mut Merge<'_>) {
        let (states, refused) = pairs.merge(merge);
        for (id, state) in pairs.ids.iter().zip(states.iter()) {
            self.groups.set_state(*id, state);
        }
        self.refused.extend(refused.into_iter().map(|(at, refused)| (pairs.ids[at], refused)));
        pairs.clear();
    }

    /// Every key, for merging it into others.
    pub(super) fn parts(&self) -> impl Iterator<Item = GroupPart<'_>> {
        self.groups.ids().map(|id| GroupPart {
            hash: self.groups.hash(id),
            key: self.groups.key(id),
            state: self.state(id),
        })
    }

    fn state(&self, id: u32) -> Result<&[u8], &RefusedMerge> {
        self.refused.get(&id).map_or_else(|| Ok(self.groups.state(id)), Err)
    }

    /// Every key, each once.
    pub fn iter(&self) -> impl Iterator<Item = MergedGroup<'_>> {
        let groups = &self.groups;
        groups.ids().map(|id| MergedGroup {
            key: groups.key(id),
            state: self.state(id),
            revision: groups.revision(id),
        })
    }

    /// Takes note of how often each key has fired before.
    pub fn set_revisions(&mut self, mut revision: impl FnMut(TableHash, &[u8]) -> u64) {
        let ids: Vec<u32> = self.groups.ids().collect();
        for id in ids {
            let revision = revision(self.groups.hash(id), self.groups.key(id));
            self.groups.set_revision(id, revision);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.groups.bytes()
    }
}

/// All groups of a table that have rows.
pub(super) fn parts_of(groups: &GroupTable) -> impl Iterator<Item = GroupPart<'_>> {
    groups.ids().map(|id| part_of(groups, id))
}

/// All groups of a table that have rows, or those of them whose key is among `only`.
pub(super) fn parts_in<'g>(
    groups: &'g GroupTable,
    only: Option<&'g GroupTable>,
) -> impl Iterator<Item = GroupPart<'g>> {
    let all = only.is_none().then(|| parts_of(groups));
    let some = only.map(|keys| parts_among(groups, keys));
    all.into_iter().flatten().chain(some.into_iter().flatten())
}

/// The groups of a table whose key is among `keys`.
pub(super) fn parts_among<'g>(
    groups: &'g GroupTable,
    keys: &'g GroupTable,
) -> impl Iterator<Item = GroupPart<'g>> {
    let find = |id: u32| groups.find(keys.hash(id), keys.key(id));
    let found = (0..keys.len() as u32).filter_map(find);
    found.filter(|id| groups.has_rows(*id)).map(|id| part_of(groups, id))
}

/// A group of a table.
fn part_of(groups: &GroupTable, id: u32) -> GroupPart<'_> {
    GroupPart { hash: groups.hash(id), key: groups.key(id), state: Ok(groups.state(id)) }
}

/// What the groups of a key are together.
#[derive(Clone, Copy, Debug)]
pub struct MergedGroup<'m> {
    /// Encoded ([`super::key`]).
    pub key: &'m [u8],
    /// The accumulator, or why it has none.
    pub state: Result<&'m [u8], &'m RefusedMerge>,
    /// How often it has fired before.
    pub revision: u64,
}

/// Accumulators to merge in one call.
#[derive(Default)]
pub(super) struct Pairs {
    pub(super) ids: Vec<u32>,
    left: Varlen,
    right: Varlen,
}

impl Pairs {
    pub(super) fn push(&mut self, id: u32, left: &[u8], right: &[u8]) {
        self.ids.push(id);
        self.left.push(left);
        self.right.push(right);
    }

    /// One accumulator per pair, and the pairs that could not be merged, by their index.
    pub(super) fn merge(&self, merge: &mut Merge<'_>) -> (Varlen, Vec<(usize, RefusedMerge)>) {
        if self.ids.is_empty() {
            return (Varlen::default(), Vec::new());
        }
        let MergeOutcome { states, refusals } = merge(&self.left, &self.right);
        let refused = |refusal: GroupRefusal| {
            let at = refusal.group as usize;
            let (left, right) = (self.left.value(at).to_vec(), self.right.value(at).to_vec());
            (at, RefusedMerge { left, right, refusal })
        };
        (states, refusals.into_iter().map(refused).collect())
    }

    pub(super) fn clear(&mut self) {
        self.ids.clear();
        self.left.clear();
        self.right.clear();
    }
}
