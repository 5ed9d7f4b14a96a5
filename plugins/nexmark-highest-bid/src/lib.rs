//! The highest bids of a window: one row for every bidder who bid the highest price: NEXMark's query 7.
//!
//! Teaches: a state that is small although the window is not; ties, which are all kept, in an order that does not
//! depend on the order of arrival.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sluicegate_sdk::prelude::*;

/// What it reads of a bid.
#[derive(Row)]
pub struct Bid {
    auction: Option<i64>,
    user: i64,
    price: Option<Decimal>,
}

/// The highest price so far, and who bid it: auction and user.
#[derive(Default, Serialize, Deserialize, State)]
pub struct Highest {
    price: Decimal,
    bids: BTreeSet<(i64, i64)>,
}

/// A row of results.
#[derive(OutputRow)]
pub struct Winner {
    auction: i64,
    user: i64,
    #[column(decimal(18, 2))]
    price: Decimal,
}

/// The aggregate.
pub struct HighestBid;

impl Aggregate for HighestBid {
    type Row<'a> = Bid;
    type State = Highest;
    type Output = Winner;

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn update(&self, highest: &mut Highest, bid: Bid) -> Result<(), Refused> {
        let price = bid.price.ok_or("a bid without a price")?;
        let price = price.rescale(2).ok_or("the price has digits beyond cents")?;
        let auction = bid.auction.ok_or("a bid for no auction")?;
        if highest.bids.is_empty() || price >= highest.price {
            self.merge(highest, Highest { price, bids: BTreeSet::from([(auction, bid.user)]) });
        }
        Ok(())
    }

    fn merge(&self, highest: &mut Highest, mut later: Highest) {
        match highest.price.cmp(&later.price) {
            _ if later.bids.is_empty() => {}
            Ordering::Equal => highest.bids.append(&mut later.bids),
            Ordering::Greater if !highest.bids.is_empty() => {}
            _ => *highest = later,
        }
    }

    fn evaluate(&self, _: Window, highest: &Highest, out: &mut Emit<Winner>) {
        for &(auction, user) in &highest.bids {
            out.push(Winner { auction, user, price: highest.price });
        }
    }
}

export!(aggregate: HighestBid);

#[cfg(test)]
mod tests;
