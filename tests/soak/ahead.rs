//! Groups that stay open: a partition of its own has sales of many stores that lie days ahead of all others, so that the state is
//! written as a base and deltas, which are merged into new bases on the way.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::harness::chain::Head;
use crate::harness::sales::BEGIN;
use crate::harness::topic::Topic;

/// Their accumulators have some hundreds of KiB, compressed.
const STORES: u32 = 40_000;
/// Where the window begins that all of them are in, in seconds: no soak comes so far.
const AT: i64 = (BEGIN / 30 + 20_000) * 30;

/// An endless, repeatable run of sales that lie ahead.
pub struct Ahead {
    dice: Pcg64Mcg,
    partition: i32,
}

impl Ahead {
    /// Each store has one already.
    pub fn begin(seed: u64, topic: &Topic, partition: i32) -> Self {
        let mut ahead = Self { dice: Pcg64Mcg::seed_from_u64(seed ^ 0xa4ead), partition };
        (0..STORES).for_each(|store| ahead.sell(topic, store));
        topic.flush();
        ahead
    }

    /// Sales of some stores.
    pub fn send(&mut self, topic: &Topic, count: u32) {
        for _ in 0..count {
            let store = self.dice.random_range(0..STORES);
            self.sell(topic, store);
        }
        topic.flush();
    }

    fn sell(&mut self, topic: &Topic, store: u32) {
        let cents: u32 = self.dice.random_range(1..5_000_000);
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        // Names that compress no better than real ones.
        let store = store.wrapping_mul(2_654_435_761);
        let ts = AT + self.dice.random_range(0..30);
        let value = format!("{{\"store\":\"store-{store:08x}\",\"price\":{price},\"ts\":{ts}}}");
        topic.send(self.partition, ts * 1_000, value.as_bytes());
    }

    /// Sends each partition one sale behind all of them, so that every window closes.
    pub fn close(&self, topic: &Topic) {
        let after = AT + 600;
        for partition in 0..topic.partitions {
            let value = format!("{{\"store\":\"store-0\",\"price\":1,\"ts\":{after}}}");
            topic.send(partition, after * 1_000, value.as_bytes());
        }
        topic.flush();
    }
}

/// The pieces of the state that were seen in records: whether it is a delta, and its bytes.
#[derive(Default)]
pub struct Pieces(BTreeMap<String, (bool, u64)>);

impl Pieces {
    /// Looks at a record.
    pub fn see(&mut self, head: &Head) {
        self.0.extend(head.pieces().map(|(key, is_delta, bytes)| (key, (is_delta, bytes))));
    }

    /// How many there were, and their bytes.
    pub fn count(&self, deltas: bool) -> (usize, u64) {
        let of = self.0.values().filter(|(is_delta, _)| *is_delta == deltas);
        (of.clone().count(), of.map(|(_, bytes)| bytes).sum())
    }
}
