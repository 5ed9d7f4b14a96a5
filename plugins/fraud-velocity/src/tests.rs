//! Bursts, quiet cards, disorder, and the configuration.

use sluicegate_sdk::testing::process;

use super::*;

const RULE: &[(&str, &str)] = &[("more-than", "2"), ("within", "10m")];

#[test]
fn one_payment_too_many_is_one_alert() {
    let payments = "
        time | group | amount
        1m   | 0     | 1.00
        2m   | 1     | 9.00
        3m   | 0     | 2.00
        4m   | 0     | 3.50
        5m   | 0     | 4.00
    ";
    assert_eq!(process(Plugin, RULE, payments).unwrap().rows, ["4m | 0 | 3 | 60000000 | 6.50"]);
}

#[test]
fn payments_far_apart_are_none() {
    let payments = "time | amount\n1m | 1.00\n6m | 1.00\n11m | 1.00\n16m | 1.00";
    assert!(process(Plugin, RULE, payments).unwrap().rows.is_empty());
}

#[test]
fn a_card_that_was_quiet_is_watched_anew() {
    let payments = "
        time | amount
        1m   | 1.00
        2m   | 1.00
        3m   | 1.00
        14m  | 1.00
        15m  | 1.00
        16m  | 1.00
    ";
    let alerts = process(Plugin, RULE, payments).unwrap();
    assert_eq!(alerts.rows, ["3m | 0 | 3 | 60000000 | 3.00", "16m | 0 | 3 | 840000000 | 3.00"]);
}

#[test]
fn a_payment_that_comes_late_counts_where_it_belongs() {
    let payments = "time | watermark | amount\n1m | 0s | 1.00\n9m | 0s | 1.00\n5m | 4m | 1.00";
    let alerts = process(Plugin, RULE, payments).unwrap();
    assert_eq!(alerts.rows, ["5m | 0 | 3 | 60000000 | 3.00"]);
}

#[test]
fn amounts_beyond_cents_are_refused_and_leave_no_trace() {
    let payments = "time | amount\n1m | 1.00\n2m | 0.001\n3m | 1.00\n4m | 1.00";
    let alerts = process(Plugin, RULE, payments).unwrap();
    assert_eq!(alerts.rejects, ["row 1: the amount has digits beyond cents"]);
    assert_eq!(alerts.rows, ["4m | 0 | 3 | 60000000 | 3.00"]);
}

#[test]
fn the_configuration_is_checked() {
    let why = process(Plugin, &[("within", "ten minutes")], "time | amount\n").unwrap_err();
    assert!(
        why.starts_with("configuration `within` is `ten minutes`: write a whole number"),
        "{why}"
    );
}
