//! Sales by dice: ordinary ones, those out of order, late ones, those that the filter drops, and records that are none.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::topic::Topic;

/// 2023-11-14T22:13:20Z: in the past of every machine, so that no broker finds it absurd.
pub const BEGIN: i64 = 1_700_000_000;

/// An endless, repeatable run of records for a number of partitions. Time goes on a second every
/// [`Sales::PER_SECOND`] records of a partition.
pub struct Sales {
    dice: Pcg64Mcg,
    partitions: i32,
    sent: i64,
}

impl Sales {
    /// Records of one partition in one second of event time: a window of 30 s has some 600 of each partition.
    pub const PER_SECOND: i64 = 20;

    /// The same seed gives the same records.
    pub fn new(seed: u64, partitions: i32) -> Self {
        Self { dice: Pcg64Mcg::seed_from_u64(seed), partitions, sent: 0 }
    }

    /// Sends `count` records to each partition and waits until they are stored.
    pub fn send(&mut self, topic: &Topic, count: i64) {
        for _ in 0..count {
            let now = BEGIN + self.sent / Self::PER_SECOND;
            for partition in 0..self.partitions {
                let value = self.record(now);
                topic.send(partition, now * 1_000, value.as_bytes());
            }
            self.sent += 1;
        }
        topic.flush();
    }

    /// Sends each partition one sale far enough ahead that all windows of the others close.
    pub fn close(&mut self, topic: &Topic) {
        let after = BEGIN + self.sent / Self::PER_SECOND + 600;
        for partition in 0..self.partitions {
            let value = format!("{{\"store\":\"store-0\",\"price\":1,\"ts\":{after}}}");
            topic.send(partition, after * 1_000, value.as_bytes());
        }
        topic.flush();
        self.sent += 600 * Self::PER_SECOND;
    }

    /// The next record's value, at event time `now` more or less.
    pub fn record(&mut self, now: i64) -> String {
        let dice = &mut self.dice;
        let store = dice.random_range(0..12);
        let cents: i32 = dice.random_range(-500..50_000);
        let price = format!(
            "{}{}.{:02}",
            if cents < 0 { "-" } else { "" },
            cents.abs() / 100,
            cents.abs() % 100
        );
        let ts = match dice.random_range(0..100) {
            0..70 => now,
            // Within the bound of 5 s, and beyond it.
            70..95 => now - dice.random_range(0..5),
            _ => now - dice.random_range(5..120),
        };
        let sale = |store: &str, price: &str, ts: i64| {
            format!("{{\"store\":\"{store}\",\"item\":\"tea\",\"price\":{price},\"ts\":{ts}}}")
        };
        match dice.random_range(0..200) {
            0 => "no json at all".to_owned(),
            1 => format!("{{\"store\":\"store-{store}\",\"ts\":{ts}}}"),
            2 => sale(&format!("store-{store}"), "\"cheap\"", ts),
            3 => sale(&format!("store-{store}"), "1.999", ts),
            // A clock that is two hours ahead.
            4 => sale(&format!("store-{store}"), &price, now + 7_200),
            5..15 => sale(&format!("kiosk-{store}"), &price, ts),
            _ => sale(&format!("store-{store}"), &price, ts),
        }
    }
}
