//! Kinds, auctions, and settings that make no sense.

use sluicegate_sdk::testing::filter;

use super::*;

const EVENTS: &str = "
    event   | auction
    person  | null
    auction | null
    bid     | 1107
    bid     | 1108
";

fn select(settings: &[(&str, &str)]) -> Vec<String> {
    filter(Plugin, settings, EVENTS).unwrap().rows
}

#[test]
fn the_kinds_are_a_list() {
    assert_eq!(select(&[("events", "bid")]), ["bid | 1107", "bid | 1108"]);
    assert_eq!(select(&[("events", "person, auction")]), ["person | null", "auction | null"]);
}

#[test]
fn query_2_keeps_bids_for_every_123rd_auction() {
    let settings = [("events", "bid"), ("auctions-divisible-by", "123")];
    assert_eq!(select(&settings), ["bid | 1107"]);
}

#[test]
fn what_is_about_no_auction_has_no_number_to_divide() {
    let settings = [("events", "person,bid"), ("auctions-divisible-by", "1")];
    assert_eq!(select(&settings), ["bid | 1107", "bid | 1108"]);
}

#[test]
fn settings_are_checked() {
    let why = |settings: &[_]| filter(Plugin, settings, EVENTS).unwrap_err();
    assert_eq!(why(&[]), "configuration lacks `events`");
    assert_eq!(
        why(&[("events", "bid"), ("auctions-divisible-by", "0")]),
        "configuration `auctions-divisible-by` is `0`: it is at least 1"
    );
}
