//! Count, sum, smallest, largest, mean and variance of prices per group.
//!
//! Teaches: a merge that is as good as having seen all rows at once. Mean and variance are kept by Welford's method
//! and merged by Chan's, which stay exact where the sum of squares has long lost its digits.

use sluicegate_sdk::prelude::*;

/// What it reads of a sale.
#[derive(Row)]
pub struct Sale {
    price: Decimal,
}

/// What it knows of a group. `squares` is the sum of the squared distances from `mean`.
#[derive(Clone, Copy, Default, PlainState)]
pub struct Moments {
    count: i64,
    sum: f64,
    min: f64,
    max: f64,
    mean: f64,
    squares: f64,
}

/// A row of results. The variance is the sample's, so a single sale has none.
#[derive(OutputRow)]
pub struct Stats {
    count: i64,
    sum: f64,
    min: f64,
    max: f64,
    mean: f64,
    variance: Option<f64>,
}

/// The aggregate.
pub struct PriceStats;

impl Aggregate for PriceStats {
    type Row<'a> = Sale;
    type State = Moments;
    type Output = Stats;

    fn new(_: &Config) -> Result<Self, String> {
        Ok(Self)
    }

    fn update(&self, m: &mut Moments, sale: Sale) -> Result<(), Refused> {
        let x = sale.price.to_f64();
        self.merge(m, Moments { count: 1, sum: x, min: x, max: x, mean: x, squares: 0.0 });
        Ok(())
    }

    fn merge(&self, m: &mut Moments, later: Moments) {
        let count = m.count + later.count;
        if m.count == 0 || later.count == 0 {
            return *m = if m.count == 0 { later } else { *m };
        }
        let (left, right, all) = (m.count as f64, later.count as f64, count as f64);
        let distance = later.mean - m.mean;
        m.squares += later.squares + distance * distance * left * right / all;
        m.mean += distance * right / all;
        m.sum += later.sum;
        m.min = m.min.min(later.min);
        m.max = m.max.max(later.max);
        m.count = count;
    }

    fn evaluate(&self, _: Window, m: &Moments, out: &mut Emit<Stats>) {
        let &Moments { count, sum, min, max, mean, squares } = m;
        let variance = (count > 1).then(|| squares / (count - 1) as f64);
        out.push(Stats { count, sum, min, max, mean, variance });
    }
}

export!(aggregate: PriceStats);

#[cfg(test)]
mod tests;
