//! Rows, shares, and baskets that are not what they seem.

use sluicegate_sdk::testing::map;

use super::*;

fn split(baskets: &str) -> Vec<String> {
    map(Plugin, &[], &format!("item | price\n{baskets}")).unwrap().rows
}

#[test]
fn every_item_gets_a_row_with_its_source() {
    let rows = split("apple; pear | 3.00\nfig | 1.00");
    assert_eq!(rows, ["0 | apple | 1.50", "0 | pear | 1.50", "1 | fig | 1.00"]);
}

#[test]
fn shares_add_up_to_the_price() {
    assert_eq!(split("a;b;c | 1.00"), ["0 | a | 0.34", "0 | b | 0.33", "0 | c | 0.33"]);
    assert_eq!(split("a;b;c | -1.00"), ["0 | a | -0.34", "0 | b | -0.33", "0 | c | -0.33"]);
}

#[test]
fn a_sale_without_items_stays_one_row() {
    assert_eq!(split("null | 2.00"), ["0 | null | 2.00"]);
    assert_eq!(split("\"\" | 2.00"), ["0 | \"\" | 2.00"]);
}

#[test]
fn a_price_beyond_cents_is_refused_and_leaves_no_row() {
    let answer = map(Plugin, &[], "item | price\na;b | 0.001\nc | 2").unwrap();
    assert_eq!(answer.rows, ["1 | c | 2.00"]);
    assert_eq!(answer.rejects, ["row 0: the price has digits beyond cents"]);
}

#[test]
fn the_separator_is_configured() {
    let answer = map(Plugin, &[("separator", " + ")], "item | price\na + b;c | 2").unwrap();
    assert_eq!(answer.rows, ["0 | a | 1.00", "0 | b;c | 1.00"]);
    assert!(map(Plugin, &[("separator", "")], "item | price").is_err());
}

#[test]
fn other_columns_are_kept_without_being_read() {
    let description = <Plugin as sluicegate_sdk::MapPlugin>::describe();
    assert!(description.keeps_other_columns);
    assert_eq!(description.inputs.len(), 2);
}
