//! A set of key shards.

use crate::window::KEY_SHARDS;

/// A bit for each shard, the least significant first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shards([u8; KEY_SHARDS as usize / 8]);

impl Shards {
    /// Those of which `is_one` is true.
    pub fn of(is_one: impl Fn(u8) -> bool) -> Self {
        let mut shards = Self::default();
        (0..=u8::MAX).filter(|shard| is_one(*shard)).for_each(|shard| shards.insert(shard));
        shards
    }

    fn insert(&mut self, shard: u8) {
        self.0[usize::from(shard / 8)] |= 1 << (shard % 8);
    }

    /// Whether a shard is one of them.
    pub fn contains(&self, shard: u8) -> bool {
        self.0[usize::from(shard / 8)] & (1 << (shard % 8)) != 0
    }

    /// Those of both.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own |= other);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}
