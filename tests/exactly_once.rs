//! `kill -9` during the job, at random moments, again and again: the table is what the rules say, no row is lost or
//! doubled, and every record has one fate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::harness::chain::Head;
use crate::harness::host::Host;
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::{StoredRecord, Topic};
use crate::harness::{chain, eventually, seed, services, wait_until};
use crate::kafka_to_parquet::assert_answer;

#[test]
fn kill_9_at_random_moments_in_a_local_folder() {
    survives(&Place::local(), "killed-local", seed(11));
}

#[test]
fn kill_9_at_random_moments_in_s3() {
    survives(&Place::s3(services::s3()), "killed-s3", seed(12));
}

/// Between two commits of the sales pipeline.
const COMMIT_MS: u64 = 200;

/// How often the job is killed.
#[expect(clippy::disallowed_methods, reason = "a longer search is asked for by the environment")]
fn kills() -> u32 {
    std::env::var("SLUICEGATE_KILLS").map_or(20, |text| text.parse().unwrap())
}

fn survives(place: &Place, label: &str, seed: u64) {
    let topic = Topic::create(services::kafka(), label, 3);
    let pipeline = Pipeline::sales(kafka(&topic)).write(place);
    let mut dice = Pcg64Mcg::seed_from_u64(seed);
    let mut sales = Sales::new(seed, 3);
    let enough = AtomicBool::new(false);
    let mut epochs_seen = Vec::new();

    std::thread::scope(|threads| {
        // Sales come all the while, so that there is always something to lose.
        let feeder = threads.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                sales.send(&topic, 200);
                wait_until(Duration::from_millis(40), || {
                    enough.load(Ordering::Relaxed).then_some(())
                });
            }
            sales.close(&topic);
        });
        for life in 0..kills() {
            let host = Host::run(place, &pipeline);
            let before = epochs_seen.last().copied().unwrap_or(0);
            let commits = || (chain::newest(place)?.epoch() > before).then_some(());
            // Every other life ends while it begins, or soon after. A busy machine lets none of them come to a commit.
            let moment = if life % 2 == 0 {
                dice.random_range(50..2_500)
            } else {
                eventually("it commits", commits);
                dice.random_range(0..2 * COMMIT_MS)
            };
            wait_until(Duration::from_millis(moment), || None::<()>);
            host.kill();
            epochs_seen.push(chain::head(place).map_or(0, |head| head.epoch()));
        }
        enough.store(true, Ordering::Relaxed);
        feeder.join().unwrap();
    });

    println!("epoch at each kill: {epochs_seen:?}");

    let host = Host::run(place, &pipeline);
    let records = topic.read_back();
    wait_for_the_end(place, &topic, &records);
    host.stop();
    assert_answer(place, &Rules::sales().judge(&records));
}

/// Waits until the chain holds everything the topic has.
pub fn wait_for_the_end(place: &Place, topic: &Topic, records: &[StoredRecord]) {
    wait_for(topic, records, || chain::head(place));
}

/// The same, with the newest record of the chain read by `head`.
pub fn wait_for(topic: &Topic, records: &[StoredRecord], mut head: impl FnMut() -> Option<Head>) {
    let ends: Vec<_> = (0..topic.partitions)
        .map(|partition| {
            let last = records.iter().rfind(|record| record.partition == partition);
            (i64::from(partition), last.map_or(0, |record| record.offset + 1))
        })
        .collect();
    eventually("the chain holds the whole topic", || {
        let positions = head()?.positions();
        ends.iter()
            .all(|(partition, end)| positions.get(partition).is_some_and(|next| next >= end))
            .then_some(())
    });
}
