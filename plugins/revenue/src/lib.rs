//! Exact revenue and number of sales per group.
//!
//! Teaches: an aggregate; money as decimals, whose sums do not depend on any order; a plain state, 17 bytes that are
//! read and written without a codec; refusing a row instead of overflowing.

use sluicegate_sdk::prelude::*;

/// Digits behind the point of the result. Prices with more, other than zeros, are refused.
const SCALE: u8 = 2;

/// What it reads of a sale.
#[derive(Row)]
pub struct Sale {
    price: Decimal,
}

/// What it knows of a group.
#[derive(Clone, Copy, Default, PlainState)]
pub struct Total {
    revenue: Decimal,
    sales: i64,
}

/// A row of results; the host adds the key and the window.
#[derive(OutputRow)]
pub struct Takings {
    #[column(decimal(18, 2))]
    revenue: Decimal,
    sales: i64,
}

/// The aggregate.
pub struct Revenue;

impl Aggregate for Revenue {
    type Row<'a> = Sale;
    type State = Total;
    type Output = Takings;

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn update(&self, total: &mut Total, sale: Sale) -> Result<(), Refused> {
        let price = sale.price.rescale(SCALE).ok_or("the price has digits beyond cents")?;
        total.revenue = total.revenue.checked_add(price).ok_or("the revenue exceeds 18 digits")?;
        total.sales += 1;
        Ok(())
    }

    fn merge(&self, total: &mut Total, later: Total) {
        let revenue = total.revenue.checked_add(later.revenue);
        total.revenue = revenue.expect("the merged revenue has at most 18 digits");
        total.sales += later.sales;
    }

    fn evaluate(&self, _: Window, total: &Total, out: &mut Emit<Takings>) {
        out.push(Takings { revenue: total.revenue, sales: total.sales });
    }
}

export!(aggregate: Revenue);

#[cfg(test)]
mod tests;
