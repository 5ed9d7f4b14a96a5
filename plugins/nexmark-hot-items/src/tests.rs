//! One hot item, several, and a bid for nothing.

use sluicegate_sdk::testing::aggregate;

use super::*;

#[test]
fn the_auction_with_the_most_bids_is_hot() {
    let bids = "group | auction\n0 | 5\n0 | 3\n1 | 3\n0 | 5\n0 | 4";
    let answer = aggregate(Plugin, &[], bids).unwrap();
    assert_eq!(answer.rows, ["0 | 5 | 2", "1 | 3 | 1"]);
}

#[test]
fn auctions_with_as_many_bids_are_as_hot() {
    let answer = aggregate(Plugin, &[], "auction\n9\n2\n5\n2\n9").unwrap();
    assert_eq!(answer.rows, ["0 | 2 | 2", "0 | 9 | 2"]);
}

#[test]
fn a_bid_for_no_auction_is_refused() {
    let answer = aggregate(Plugin, &[], "auction\nnull\n1").unwrap();
    assert_eq!(answer.rows, ["0 | 1 | 1"]);
    assert_eq!(answer.rejects, ["row 0: a bid for no auction"]);
}
