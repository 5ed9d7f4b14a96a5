//! Same seed, same bytes; the shares are NEXMark's; what is broken is broken and nothing else is.

use std::collections::BTreeMap;
use std::time::Duration;

use expect_test::expect;
use serde_json::Value;

use super::{Action, Defect, Nexmark, NexmarkEvent};
use crate::chance::Delay;
use crate::event::{Event, TimeUnit};
use crate::stream::StreamSettings;

const EVENTS: usize = 50_000;

fn settings() -> StreamSettings {
    StreamSettings { seed: 7, ..StreamSettings::default() }
}

fn value(event: NexmarkEvent) -> Vec<u8> {
    let mut bytes = Vec::new();
    event.write_value(TimeUnit::Millis, &mut bytes);
    bytes
}

fn line(event: NexmarkEvent) -> String {
    String::from_utf8(value(event)).unwrap() + "\n"
}

#[test]
fn the_bytes_of_a_seed_never_change() {
    let lines: String = Nexmark::new(settings()).take(6).map(line).collect();
    expect![[r#"
        {"event":"person","user":1000,"ts":1767225600000,"person":{"name":"Emil Berg","city":"Portland","state":"OR"}}
        {"event":"auction","user":1000,"ts":1767225600001,"auction":{"id":1000,"category":4,"initial":91.54,"expires":1767225635001}}
        {"event":"auction","user":1000,"ts":1767225600002,"auction":{"id":1001,"category":1,"initial":91387.04,"expires":1767225709002}}
        {"event":"auction","user":1000,"ts":1767225600003,"auction":{"id":1002,"category":0,"initial":60.35,"expires":1767225632003}}
        {"event":"bid","user":1000,"ts":1767225600004,"bid":{"auction":1000,"price":814708.50,"channel":"Facebook","extra":"axnbnnysuund"}}
        {"event":"bid","user":1000,"ts":1767225600005,"bid":{"auction":1001,"price":139175.51,"channel":"channel-80","extra":"eztppcvugtla"}}
    "#]].assert_eq(&lines);
    let mut key = Vec::new();
    Nexmark::new(settings()).next().unwrap().write_key(&mut key);
    assert_eq!(key, b"1000");
}

#[test]
fn one_event_in_fifty_is_a_person_and_three_are_auctions() {
    let mut counts = BTreeMap::new();
    for event in Nexmark::new(settings()).take(EVENTS) {
        *counts.entry(event.event()).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([("auction", 3_000), ("bid", 46_000), ("person", 1_000)]));
}

#[test]
fn nobody_acts_before_registering_and_nobody_bids_before_an_auction_opens() {
    let (mut persons, mut auctions) = (1_000, 1_000);
    for event in Nexmark::new(settings()).take(EVENTS) {
        match event.action {
            Action::Person { .. } => {
                assert_eq!(event.user, persons);
                persons += 1;
            }
            Action::Auction { id, .. } => {
                assert_eq!(id, auctions);
                auctions += 1;
            }
            Action::Bid { auction, .. } => assert!((1_000..auctions).contains(&auction)),
        }
        assert!((1_000..persons).contains(&event.user));
    }
}

#[test]
fn half_of_the_bids_go_to_hot_auctions_and_three_in_four_come_from_hot_bidders() {
    let (mut bids, mut hot_auctions, mut hot_bidders) = (0, 0, 0);
    for event in Nexmark::new(settings()).take(EVENTS) {
        let Action::Bid { auction, .. } = event.action else { continue };
        bids += 1;
        hot_auctions += usize::from(auction % 100 == 0);
        hot_bidders += usize::from(event.user % 100 == 0);
    }
    let share = |count: usize| count as f64 / bids as f64;
    assert!((0.48..0.53).contains(&share(hot_auctions)), "{hot_auctions}");
    assert!((0.73..0.79).contains(&share(hot_bidders)), "{hot_bidders}");
}

#[test]
fn every_magnitude_of_prices_is_as_frequent_as_the_others() {
    let mut counts = [0; 6];
    for event in Nexmark::new(settings()).take(EVENTS) {
        let Action::Bid { price_hundredths, .. } = event.action else { continue };
        assert!((100..100_000_000).contains(&price_hundredths));
        counts[price_hundredths.ilog10() as usize - 2] += 1;
    }
    assert!(counts.iter().all(|count| (7_000..8_400).contains(count)), "{counts:?}");
}

#[test]
fn good_records_are_json_and_bad_ones_are_broken_in_every_way() {
    let settings = StreamSettings { bad_share: 0.1, ..settings() };
    let (mut bad, mut seen) = (0, Vec::new());
    for event in Nexmark::new(settings).take(EVENTS) {
        let bytes = value(event);
        assert!(!bytes.contains(&b'\n') && !bytes.is_empty());
        let json: Result<Value, _> = serde_json::from_slice(&bytes);
        let is_event = json.is_ok_and(|json| {
            let action = json["event"].as_str().map(|name| &json[name]);
            json["ts"].is_i64() && json["user"].is_u64() && action.is_some_and(Value::is_object)
        });
        assert_eq!(is_event, event.defect.is_none(), "{}", String::from_utf8_lossy(&bytes));
        bad += usize::from(!is_event);
        seen.extend(event.defect.filter(|defect| !seen.contains(defect)));
    }
    assert!((4_700..5_300).contains(&bad), "{bad}");
    assert_eq!(seen.len(), Defect::ALL.len());
}

#[test]
fn a_share_leaves_everything_else_as_it_is() {
    let with = StreamSettings {
        bad_share: 0.5,
        late: Delay { share: 0.5, by: Duration::from_secs(60) },
        ..settings()
    };
    let without = Nexmark::new(settings()).take(1_000);
    for (with, without) in Nexmark::new(with).take(1_000).zip(without) {
        assert_eq!((with.user, with.action), (without.user, without.action));
    }
}
