//! PLUGIN-NAME: revenue, number of sales and the dearest sale, per window and key.

use sluicegate_sdk::prelude::*;

/// The columns of the pipeline that the aggregate reads. The key is not among them: the host groups.
#[derive(Row)]
pub struct Sale {
    price: Decimal,
}

/// What is known of a group. The host keeps it; when its fields change, count `STATE_VERSION` up.
#[derive(Clone, Copy, Default, PlainState)]
pub struct Total {
    revenue: Decimal,
    sales: i64,
    dearest: Decimal,
}

/// The columns of the results. The host adds the key and the bounds of the window.
#[derive(OutputRow)]
pub struct Takings {
    #[column(decimal(18, 2))]
    revenue: Decimal,
    sales: i64,
    #[column(decimal(18, 2))]
    dearest: Decimal,
}

/// The aggregate; its fields would be settings.
pub struct Revenue;

impl Aggregate for Revenue {
    type Row<'a> = Sale;
    type State = Total;
    type Output = Takings;

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn update(&self, total: &mut Total, sale: Sale) -> Result<(), Refused> {
        let price = sale.price.rescale(2).ok_or("the price has digits beyond cents")?;
        let revenue = total.revenue.checked_add(price);
        total.revenue = revenue.ok_or("the revenue exceeds 18 digits")?;
        total.sales += 1;
        total.dearest = total.dearest.max(price);
        Ok(())
    }

    fn merge(&self, total: &mut Total, later: Total) {
        let revenue = total.revenue.checked_add(later.revenue);
        total.revenue = revenue.expect("the merged revenue has at most 18 digits");
        total.sales += later.sales;
        total.dearest = total.dearest.max(later.dearest);
    }

    fn evaluate(&self, _: Window, total: &Total, out: &mut Emit<Takings>) {
        out.push(Takings { revenue: total.revenue, sales: total.sales, dearest: total.dearest });
    }
}

export!(aggregate: Revenue);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::aggregate;

    #[test]
    fn sums_are_exact_and_merging_changes_nothing() {
        let sales = "
            group | price
            0     | 0.10
            1     | 7.00
            0     | 0.20
        ";
        // Runs the rows in one call, one by one, and cut in two everywhere; all must say the same.
        let answer = aggregate(Plugin, &[], sales).unwrap();
        assert_eq!(answer.rows, ["0 | 0.30 | 2 | 0.20", "1 | 7.00 | 1 | 7.00"]);
    }
}
