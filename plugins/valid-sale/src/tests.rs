//! The rule on single rows, and the plugin as the host calls it.

use sluicegate_sdk::testing::filter;

use super::*;

fn keeps(store: &str, price: &str) -> bool {
    let settings = Settings { store_prefix: "store-".to_owned(), is_known: PerValue::new() };
    valid_sale(&settings, Sale { store: store.into(), price: price.parse().unwrap() })
}

#[test]
fn a_sale_needs_a_price_above_zero() {
    assert!(keeps("store-1", "0.01"));
    assert!(!keeps("store-1", "0.00"));
    assert!(!keeps("store-1", "-3"));
}

#[test]
fn a_sale_needs_a_known_store() {
    assert!(!keeps("kiosk-1", "1.00"));
    assert!(!keeps("", "1.00"));
}

const SALES: &str = "
    store   | price
    store-1 | 12.50
    store-1 | 0.00
    kiosk-7 | 1.00
";

#[test]
fn the_prefix_comes_from_the_configuration() {
    let kept = filter(Plugin, &[("store-prefix", "store-")], SALES).unwrap();
    assert_eq!(kept.rows, ["store-1 | 12.50"]);
    let kept = filter(Plugin, &[("store-prefix", "kiosk-")], SALES).unwrap();
    assert_eq!(kept.rows, ["kiosk-7 | 1.00"]);
}

#[test]
fn without_a_setting_stores_are_called_store() {
    let kept = filter(Plugin, &[], SALES).unwrap();
    assert_eq!(kept.rows, ["store-1 | 12.50"]);
}

#[test]
fn the_empty_prefix_knows_every_store() {
    let kept = filter(Plugin, &[("store-prefix", "")], SALES).unwrap();
    assert_eq!(kept.rows, ["store-1 | 12.50", "kiosk-7 | 1.00"]);
}

#[test]
fn a_mistyped_key_is_refused() {
    let refused = filter(Plugin, &[("store-prefx", "store-")], SALES).unwrap_err();
    assert_eq!(
        refused,
        "configuration has `store-prefx`, but this plugin knows only `store-prefix`: \
         take the key out of the stage's `config`, or let the plugin ask for it"
    );
}
