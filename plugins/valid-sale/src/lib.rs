//! Keeps sales with a price above zero, of stores whose name begins as it should.
//!
//! Teaches: the smallest useful filter, and a setting with a default: names begin with `store-` unless the pipeline
//! file says `config = { store-prefix = "kiosk-" }`. An empty prefix knows every store. There are few stores and many
//! sales: what is asked of a store is asked once for all sales of a call that share it.

use sluicegate_sdk::prelude::*;

/// What it reads of a sale.
#[derive(Row)]
pub struct Sale<'a> {
    store: Text<'a>,
    price: Decimal,
}

/// What the pipeline file says.
pub struct Settings {
    store_prefix: String,
    is_known: PerValue<bool>,
}

impl FromConfig for Settings {
    fn from_config(config: &Config) -> Result<Self, String> {
        let store_prefix = config.get("store-prefix").unwrap_or("store-").to_owned();
        Ok(Self { store_prefix, is_known: PerValue::new() })
    }
}

fn valid_sale(settings: &Settings, sale: Sale<'_>) -> bool {
    let Settings { store_prefix, is_known } = settings;
    sale.price > Decimal::ZERO && is_known.of(sale.store, |store| store.starts_with(store_prefix))
}

export!(filter: valid_sale);

#[cfg(test)]
mod tests;
