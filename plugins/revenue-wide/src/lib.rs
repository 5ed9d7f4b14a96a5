//! The successor of `revenue`: its sums have room for 38 digits on the way, so that a refund may come after what it
//! takes back.
//!
//! Teaches: a state with another layout, and how a running pipeline goes over to it with its windows open.

use sluicegate_sdk::prelude::*;

/// Digits behind the point of the result. Prices with more, other than zeros, are refused.
const SCALE: u8 = 2;

/// What it reads of a sale.
#[derive(Row)]
pub struct Sale {
    price: Decimal,
}

/// What it knows of a group: version 2.
#[derive(Clone, Copy, Default, PlainState)]
pub struct Total {
    cents: i128,
    sales: i64,
}

/// What `revenue` knew of a group: version 1. Kept as it was, to be read once more.
#[derive(Clone, Copy, Default, PlainState)]
pub struct TotalV1 {
    revenue: Decimal,
    sales: i64,
}

/// A row of results, the same as before; the host adds the key and the window.
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

    const STATE_VERSION: u32 = 2;
    const MIGRATES_FROM: &'static [u32] = &[1];

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn update(&self, total: &mut Total, sale: Sale) -> Result<(), Refused> {
        let price = sale.price.rescale(SCALE).ok_or("the price has digits beyond cents")?;
        total.cents += i128::from(price.unscaled());
        total.sales += 1;
        Ok(())
    }

    fn merge(&self, total: &mut Total, later: Total) {
        total.cents += later.cents;
        total.sales += later.sales;
    }

    fn evaluate(&self, _: Window, total: &Total, out: &mut Emit<Takings>) {
        let cents = i64::try_from(total.cents).expect("the revenue has at most 18 digits");
        out.push(Takings { revenue: Decimal::new(cents, SCALE), sales: total.sales });
    }

    fn migrate(&self, from_version: u32, bytes: &[u8]) -> Result<Total, String> {
        match from_version {
            1 => {
                let TotalV1 { revenue, sales } = TotalV1::decode(bytes)?;
                let revenue = revenue.rescale(SCALE).ok_or("a revenue with digits beyond cents")?;
                Ok(Total { cents: revenue.unscaled().into(), sales })
            }
            other => Err(format!("state of version {other} is not known")),
        }
    }
}

export!(aggregate: Revenue);

#[cfg(test)]
mod tests;
