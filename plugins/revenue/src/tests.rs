//! Sums are exact, and what cannot be added is refused.

use sluicegate_sdk::testing::aggregate;

use super::*;

#[test]
fn sums_are_exact_per_group() {
    let sales = "
        group | price
        0     | 0.10
        1     | 7.00
        0     | 0.20
        0     | -0.05
    ";
    let answer = aggregate(Plugin, &[], sales).unwrap();
    assert_eq!(answer.rows, ["0 | 0.25 | 3", "1 | 7.00 | 1"]);
    assert_eq!(answer.rejects, [""; 0]);
}

#[test]
fn a_group_without_rows_is_zero() {
    assert_eq!(aggregate(Plugin, &[], "price").unwrap().rows, ["0 | 0.00 | 0"]);
}

#[test]
fn prices_of_other_scales_are_taken_if_nothing_is_lost() {
    let answer = aggregate(Plugin, &[], "price\n1.2300\n1.2345\n2").unwrap();
    assert_eq!(answer.rows, ["0 | 3.23 | 2"]);
    assert_eq!(answer.rejects, ["row 1: the price has digits beyond cents"]);
}

#[test]
fn a_sum_of_more_than_18_digits_is_refused_and_leaves_no_trace() {
    let almost = "9999999999999999.98";
    let answer = aggregate(Plugin, &[], &format!("price\n{almost}\n0.02\n0.01")).unwrap();
    assert_eq!(answer.rows, ["0 | 9999999999999999.99 | 2"]);
    assert_eq!(answer.rejects, ["row 1: the revenue exceeds 18 digits"]);
}

#[test]
#[should_panic(expected = "the merged revenue has at most 18 digits")]
fn a_merge_beyond_18_digits_traps_and_does_not_wrap() {
    let half = Total { revenue: "6000000000000000.00".parse().unwrap(), sales: 1 };
    Revenue.merge(&mut half.clone(), half);
}
