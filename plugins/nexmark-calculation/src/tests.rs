//! Hours, letters, and the range of prices.

use sluicegate_sdk::testing::map;

use super::*;

#[test]
fn hours_have_names_also_before_1970() {
    let at = |hour: i64, micros: i64| time_of_day(Timestamp(hour * MICROS_PER_HOUR + micros));
    assert_eq!([at(0, 0), at(6, 1), at(7, 0), at(8, 0)], ["night", "night", "other", "day"]);
    assert_eq!([at(18, 59), at(19, 0), at(20, 0), at(24 + 8, 0)], ["day", "other", "night", "day"]);
    assert_eq!([at(-1, 0), at(-24 + 7, -1)], ["night", "night"]);
}

#[test]
fn letters_are_counted_in_bids_of_the_range() {
    let bids = "ts | price | extra\n0 | 10.00 | cac\n0 | 10.01 | cac\n0 | 19.99 | null\n0 | 20 | c\n0 | null | c";
    let settings = [("price-above", "10"), ("price-below", "20")];
    let answer = map(Plugin, &settings, bids).unwrap();
    assert_eq!(answer.rows, ["1 | night | 2", "2 | night | 0"]);
    assert_eq!(answer.rejects, Vec::<String>::new());
}

#[test]
fn without_settings_every_bid_counts_its_c() {
    let answer = map(Plugin, &[], "ts | price | extra\n28800000000 | 1 | ccc").unwrap();
    assert_eq!(answer.rows, ["0 | day | 3"]);
    assert!(map(Plugin, &[("letter", "ab")], "ts | price | extra").is_err());
}
