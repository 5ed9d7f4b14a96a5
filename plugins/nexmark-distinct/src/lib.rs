//! Bids by price, and how many different users and auctions they are of: NEXMark's query 15.
//!
//! Teaches: exact distinct counts, whose state grows with what is counted and not with the rows; and that several
//! counts in one aggregate read each row once.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use sluicegate_sdk::prelude::*;

/// What it reads of a bid. Below 100 it is cheap, from 10,000 on it is dear.
#[derive(Row)]
pub struct Bid {
    auction: Option<i64>,
    user: i64,
    price: Option<Decimal>,
}

/// What it knows of a group. About three bytes for every user and auction.
#[derive(Default, Serialize, Deserialize, State)]
pub struct Seen {
    bids: i64,
    cheap: i64,
    dear: i64,
    #[serde(deserialize_with = "at_once")]
    users: BTreeSet<i64>,
    #[serde(deserialize_with = "at_once")]
    auctions: BTreeSet<i64>,
}

/// Reads a set as it stands there, ascending. Every call reads the whole state, and a tree is built of a list several
/// times faster than by inserting each id, which is what serde does.
fn at_once<'de, D: Deserializer<'de>>(ids: D) -> Result<BTreeSet<i64>, D::Error> {
    Ok(Vec::deserialize(ids)?.into_iter().collect())
}

/// A row of results.
#[derive(OutputRow)]
pub struct Counts {
    bids: i64,
    cheap_bids: i64,
    dear_bids: i64,
    users: i64,
    auctions: i64,
}

/// The aggregate.
pub struct Distinct;

impl Aggregate for Distinct {
    type Row<'a> = Bid;
    type State = Seen;
    type Output = Counts;

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn update(&self, seen: &mut Seen, bid: Bid) -> Result<(), Refused> {
        let price = bid.price.ok_or("a bid without a price")?;
        seen.auctions.insert(bid.auction.ok_or("a bid for no auction")?);
        seen.users.insert(bid.user);
        seen.bids += 1;
        seen.cheap += i64::from(price < Decimal::new(100, 0));
        seen.dear += i64::from(price >= Decimal::new(10_000, 0));
        Ok(())
    }

    fn merge(&self, seen: &mut Seen, mut later: Seen) {
        seen.bids += later.bids;
        seen.cheap += later.cheap;
        seen.dear += later.dear;
        seen.users.append(&mut later.users);
        seen.auctions.append(&mut later.auctions);
    }

    fn evaluate(&self, _: Window, seen: &Seen, out: &mut Emit<Counts>) {
        let Seen { bids, cheap: cheap_bids, dear: dear_bids, ref users, ref auctions } = *seen;
        let (users, auctions) = (users.len() as i64, auctions.len() as i64);
        out.push(Counts { bids, cheap_bids, dear_bids, users, auctions });
    }
}

export!(aggregate: Distinct);

#[cfg(test)]
mod tests;
