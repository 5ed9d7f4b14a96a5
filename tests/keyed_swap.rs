//! A keyed plugin is swapped under load, and the host killed behind it: what the old module knew of each card and the timers
//! that it set are the new one's, each row and each timer is decided by the module of its epoch, nothing is lost or doubled.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::Host;
use crate::harness::pipeline::kafka;
use crate::harness::place::Place;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services, wait_until};
use crate::keyed::{ALERTS, Flip, Payments, by_hand, pipeline};

#[test]
fn a_keyed_plugin_swapped_under_load_takes_over_keys_and_timers_through_kill_9() {
    let topic = Topic::create(services::kafka(), "keyed-swap", 3);
    let place = Place::local();
    let file = pipeline(&place, &kafka(&topic));
    let host = Host::serve(&place, &file);
    let mut payments = Payments::new(seed(61));
    let enough = AtomicBool::new(false);

    let epoch = std::thread::scope(|threads| {
        let feeder = threads.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                // Two seconds of event time; a card whose timer nobody moves any more, and one that pays once more.
                payments.send(&topic, 20);
                payments.burst(&topic);
                wait_until(Duration::from_millis(10), || {
                    enough.load(Ordering::Relaxed).then_some(())
                });
            }
        });
        host.upload("successor", "successor-plugin");
        eventually("cards are known before the swap", || {
            (chain::head(&place)?.groups() > 110).then_some(())
        });
        let answer = host.activate("fraud", "velocity", "successor");
        host.kill();
        enough.store(true, Ordering::Relaxed);
        feeder.join().unwrap();
        usize::try_from(answer["epoch"].as_u64().unwrap()).unwrap()
    });

    let host = Host::run(&place, &file);
    payments.send(&topic, 300);
    payments.close(&topic);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    host.stop();

    let chain = chain::records(&place);
    let (before, at) = (&chain[epoch - 1], &chain[epoch]);
    assert_ne!(before.module("velocity"), at.module("velocity"), "epoch {epoch} is the first");
    assert_eq!(chain.last().unwrap().module("velocity"), at.module("velocity"));
    let watermark = at.watermark().expect("all partitions have shown something");
    let flip = Flip { positions: at.positions(), watermark: watermark.div_euclid(1_000_000) };
    let hand = by_hand(&records, Some(&flip));
    println!("epoch {epoch}: of {} alerts by heirloom {:?}", hand.alerts.len(), hand.by_heirloom);
    assert!(
        hand.by_heirloom.0 > 0 && hand.by_heirloom.1 > 0,
        "a swap of nothing: {:?}",
        hand.by_heirloom
    );
    assert_same_rows("alerts", &rows(&place, "alerts", &ALERTS), &hand.alerts);
    // A card of which the timer was lost would be known for ever.
    let last = chain.last().unwrap();
    assert_eq!(last.groups(), hand.known() as u64, "cards that are known at the end");
    let fates = last.fates();
    assert_eq!((fates.read, fates.dead_lettered), (records.len() as u64, hand.refused));
    assert_eq!((fates.late, fates.accepted), (0, fates.read - hand.refused));
}
