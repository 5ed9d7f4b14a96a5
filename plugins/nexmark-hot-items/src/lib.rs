//! The auctions with the most bids in a window: NEXMark's query 5.
//!
//! Teaches: two aggregations in one, a count per auction and the highest of the counts, because what is compared has
//! to be in one group; a merge that adds up, so that sliding windows can share their panes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluicegate_sdk::prelude::*;

/// What it reads of a bid.
#[derive(Row)]
pub struct Bid {
    auction: Option<i64>,
}

/// Bids of each auction.
#[derive(Default, Serialize, Deserialize, State)]
pub struct Bids(BTreeMap<i64, i64>);

/// A row of results.
#[derive(OutputRow)]
pub struct HotItem {
    auction: i64,
    bids: i64,
}

/// The aggregate.
pub struct HotItems;

impl Aggregate for HotItems {
    type Row<'a> = Bid;
    type State = Bids;
    type Output = HotItem;

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn update(&self, bids: &mut Bids, bid: Bid) -> Result<(), Refused> {
        let auction = bid.auction.ok_or("a bid for no auction")?;
        *bids.0.entry(auction).or_default() += 1;
        Ok(())
    }

    fn merge(&self, bids: &mut Bids, later: Bids) {
        for (auction, count) in later.0 {
            *bids.0.entry(auction).or_default() += count;
        }
    }

    fn evaluate(&self, _: Window, bids: &Bids, out: &mut Emit<HotItem>) {
        let most = bids.0.values().max();
        for (auction, count) in bids.0.iter().filter(|(_, count)| Some(*count) == most) {
            out.push(HotItem { auction: *auction, bids: *count });
        }
    }
}

export!(aggregate: HotItems);

#[cfg(test)]
mod tests;
