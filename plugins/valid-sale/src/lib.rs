//! Keeps sales with a price above zero, of stores whose name begins as it should.
//!
//! Teaches: the smallest useful filter, and a setting with a default: names begin with `store-` unless the pipeline
//! file says `config = { store-prefix = "kiosk-" }`. An empty prefix knows every store.

use sluicegate_sdk::prelude::*;

/// What it reads of a sale.
#[derive(Row)]
pub struct Sale<'a> {
    store: &'a str,
    price: Decimal,
}

/// What the pipeline file says.
pub struct Settings {
    store_prefix: String,
}

impl FromConfig for Settings {
    fn from_config(config: &Config) -> Result<Self, String> {
        Ok(Self { store_prefix: config.get("store-prefix").unwrap_or("store-").to_owned() })
    }
}

fn valid_sale(settings: &Settings, sale: Sale<'_>) -> bool {
    sale.price > Decimal::ZERO && sale.store.starts_with(&settings.store_prefix)
}

export!(filter: valid_sale);

#[cfg(test)]
mod tests;
