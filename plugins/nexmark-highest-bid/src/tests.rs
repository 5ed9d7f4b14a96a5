//! One highest bid, several, and bids that are none.

use sluicegate_sdk::testing::aggregate;

use super::*;

#[test]
fn the_highest_bid_of_each_group_wins() {
    let bids = "
        group | auction | user | price
        0     | 1       | 7    | 2.00
        1     | 2       | 7    | 9.00
        0     | 3       | 8    | 5.00
        0     | 1       | 9    | 4.99
    ";
    let answer = aggregate(Plugin, &[], bids).unwrap();
    assert_eq!(answer.rows, ["0 | 3 | 8 | 5.00", "1 | 2 | 7 | 9.00"]);
}

#[test]
fn all_who_bid_the_highest_price_are_named_once_each() {
    let bids = "auction | user | price\n2 | 8 | 5\n1 | 9 | 5\n2 | 8 | 5\n1 | 7 | 4";
    let answer = aggregate(Plugin, &[], bids).unwrap();
    assert_eq!(answer.rows, ["0 | 1 | 9 | 5.00", "0 | 2 | 8 | 5.00"]);
}

#[test]
fn the_highest_of_prices_below_zero_is_below_zero() {
    let answer = aggregate(Plugin, &[], "auction | user | price\n1 | 7 | -4\n1 | 8 | -3").unwrap();
    assert_eq!(answer.rows, ["0 | 1 | 8 | -3.00"]);
}

#[test]
fn what_is_no_bid_is_refused() {
    let bids = "auction | user | price\nnull | 7 | 1\n1 | 7 | null\n1 | 7 | 0.001";
    let answer = aggregate(Plugin, &[], bids).unwrap();
    assert_eq!(answer.rows, Vec::<String>::new());
    assert_eq!(answer.rejects.len(), 3);
}
