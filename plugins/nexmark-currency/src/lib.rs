//! Converts the price of bids into another currency: NEXMark's query 1.
//!
//! Teaches: exact arithmetic with decimals of different scales. A price in cents times a rate of three digits has five
//! digits behind the point, and all of them are kept.

use sluicegate_sdk::prelude::*;

/// What it reads of a bid.
#[derive(Row)]
pub struct Bid {
    price: Option<Decimal>,
}

/// What it makes: it takes the place of the bid's own price.
#[derive(OutputRow)]
pub struct Converted {
    #[column(decimal(18, 5))]
    price: Decimal,
}

/// What the pipeline file says.
pub struct Settings {
    rate: Decimal,
}

impl FromConfig for Settings {
    fn from_config(config: &Config) -> Result<Self, String> {
        let rate = config.parse_or("rate", Decimal::new(908, 3))?;
        match rate.rescale(3) {
            Some(rate) if rate > Decimal::ZERO => Ok(Self { rate }),
            _ => Err(format!(
                "configuration `rate` is `{rate}`: above 0, with three digits behind the point"
            )),
        }
    }
}

fn convert(settings: &Settings, bid: Bid, out: &mut Emit<Converted>) -> Result<(), &'static str> {
    let price = bid.price.ok_or("a bid without a price")?;
    let price = price.rescale(2).ok_or("the price has digits beyond cents")?;
    let product = price.checked_mul(settings.rate.unscaled());
    let product = product.ok_or("the converted price exceeds 18 digits")?;
    out.push(Converted { price: Decimal::new(product.unscaled(), 5) });
    Ok(())
}

export!(map: convert);

#[cfg(test)]
mod tests;
