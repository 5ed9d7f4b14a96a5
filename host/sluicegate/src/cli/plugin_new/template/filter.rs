//! PLUGIN-NAME: keeps the sales of at least a given price.

use sluicegate_sdk::prelude::*;

/// The columns of the pipeline that the filter reads.
#[derive(Row)]
pub struct Sale {
    price: Decimal,
}

/// The configuration of its stage: `config = { at-least = "10.00" }`.
pub struct Settings {
    at_least: Decimal,
}

impl FromConfig for Settings {
    fn from_config(config: &Config) -> Result<Self, String> {
        Ok(Self { at_least: config.parse_or("at-least", Decimal::ZERO)? })
    }
}

/// Whether the row goes on. `Err(reason)` instead of `Ok(…)` sends its record to the dead letters.
fn keep(settings: &Settings, sale: Sale) -> Result<bool, &'static str> {
    if sale.price < Decimal::ZERO {
        return Err("the price is below zero");
    }
    Ok(sale.price >= settings.at_least)
}

export!(filter: keep);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::filter;

    #[test]
    fn keeps_what_is_dear_enough_and_refuses_what_makes_no_sense() {
        let sales = "
            price
            10.00
             9.99
            -1.00
        ";
        let answer = filter(Plugin, &[("at-least", "10")], sales).unwrap();
        assert_eq!(answer.rows, ["10.00"]);
        assert_eq!(answer.rejects, ["row 2: the price is below zero"]);
    }
}
