//! The `k` items with the highest revenue per group (`config = { k = "3" }`; 10 if it is not given).
//!
//! Teaches: a growing state, in the `postcard` encoding; many rows per group; a `BTreeMap`, because no result may
//! depend on the order of a `HashMap`; checked configuration.

use std::{cmp::Reverse, collections::BTreeMap, collections::BTreeSet};

use serde::{Deserialize, Serialize};
use sluicegate_sdk::prelude::*;

/// What it reads of a sale.
#[derive(Row)]
pub struct Sale<'a> {
    item: Option<&'a str>,
    price: Decimal,
}

/// What it knows of a group: the revenue of every item. A top list alone could not be merged.
#[derive(Default, Serialize, Deserialize, State)]
pub struct Items(BTreeMap<String, Decimal>);

/// A row of results.
#[derive(OutputRow)]
pub struct TopItem<'a> {
    rank: i64,
    item: &'a str,
    #[column(decimal(18, 2))]
    revenue: Decimal,
}

/// The aggregate, with its `k`.
pub struct TopItems(usize);

impl Items {
    fn add(&mut self, item: &str, price: Decimal) -> Option<()> {
        match self.0.get_mut(item) {
            Some(revenue) => *revenue = revenue.checked_add(price)?,
            None => _ = self.0.insert(item.to_owned(), price),
        }
        Some(())
    }
}

impl Aggregate for TopItems {
    type Row<'a> = Sale<'a>;
    type State = Items;
    type Output = TopItem<'static>;

    fn new(config: &Config) -> Result<Self, String> {
        match config.parse_or("k", 10)? {
            0 => Err("configuration `k` is `0`: it is at least 1".into()),
            k => Ok(Self(k)),
        }
    }

    fn update(&self, items: &mut Items, sale: Sale<'_>) -> Result<(), Refused> {
        let price = sale.price.rescale(2).ok_or("the price has digits beyond cents")?;
        let Some(item) = sale.item else { return Ok(()) };
        Ok(items.add(item, price).ok_or("the revenue of the item exceeds 18 digits")?)
    }

    fn merge(&self, items: &mut Items, later: Items) {
        for (item, revenue) in later.0 {
            items.add(&item, revenue).expect("the merged revenue has at most 18 digits");
        }
    }

    fn evaluate(&self, _: Window, items: &Items, out: &mut Emit<TopItem<'static>>) {
        let ranked: BTreeSet<_> = items.0.iter().map(|(item, sum)| (Reverse(*sum), item)).collect();
        for (rank, (Reverse(revenue), item)) in (1..).zip(ranked).take(self.0) {
            out.push(TopItem { rank, item, revenue });
        }
    }
}

export!(aggregate: TopItems);

#[cfg(test)]
mod tests;
