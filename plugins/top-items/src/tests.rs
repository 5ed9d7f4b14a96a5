//! Ranks, ties, limits, and the configuration.

use sluicegate_sdk::testing::aggregate;

use super::*;

const SALES: &str = "
    group | item  | price
    0     | pear  | 1.00
    0     | apple | 2.50
    0     | pear  | 2.00
    1     | fig   | 9.00
    0     | null  | 5.00
    0     | kiwi  | 2.50
";

#[test]
fn items_rank_by_revenue_and_ties_by_name() {
    let answer = aggregate(Plugin, &[], SALES).unwrap();
    let expected = [
        "0 | 1 | pear | 3.00",
        "0 | 2 | apple | 2.50",
        "0 | 3 | kiwi | 2.50",
        "1 | 1 | fig | 9.00",
    ];
    assert_eq!(answer.rows, expected);
}

#[test]
fn only_k_items_are_shown_and_none_is_forgotten() {
    let answer = aggregate(Plugin, &[("k", "1")], SALES).unwrap();
    assert_eq!(answer.rows, ["0 | 1 | pear | 3.00", "1 | 1 | fig | 9.00"]);
}

#[test]
fn k_is_checked() {
    let why = |k| aggregate(Plugin, &[("k", k)], SALES).unwrap_err();
    assert_eq!(why("0"), "configuration `k` is `0`: it is at least 1");
    assert_eq!(why("ten"), "configuration `k` is `ten`: invalid digit found in string");
}

#[test]
fn an_overflow_is_refused_and_leaves_no_trace() {
    let sales = "item | price\npear | 9999999999999999.99\npear | 0.01\nfig | 1.00";
    let answer = aggregate(Plugin, &[], sales).unwrap();
    assert_eq!(answer.rows, ["0 | 1 | pear | 9999999999999999.99", "0 | 2 | fig | 1.00"]);
    assert_eq!(answer.rejects, ["row 1: the revenue of the item exceeds 18 digits"]);
}
