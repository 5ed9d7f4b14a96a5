//! What is counted once, and what as often as it comes.

use sluicegate_sdk::testing::aggregate;

use super::*;

#[test]
fn users_and_auctions_count_once_and_bids_by_their_price() {
    let bids = "
        group | auction | user | price
        0     | 1       | 7    | 99.99
        0     | 2       | 7    | 100.00
        0     | 1       | 8    | 9999.99
        0     | 1       | 7    | 10000.00
        1     | 1       | 7    | 1.00
    ";
    let answer = aggregate(Plugin, &[], bids).unwrap();
    assert_eq!(answer.rows, ["0 | 4 | 1 | 1 | 2 | 2", "1 | 1 | 1 | 0 | 1 | 1"]);
}

#[test]
fn what_is_no_bid_is_refused() {
    let answer =
        aggregate(Plugin, &[], "auction | user | price\nnull | 7 | 1\n1 | 7 | null").unwrap();
    assert_eq!(answer.rows, ["0 | 0 | 0 | 0 | 0 | 0"]);
    assert_eq!(answer.rejects.len(), 2);
}
