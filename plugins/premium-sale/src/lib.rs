//! Keeps dear sales: what `valid-sale` keeps, from a price on.
//!
//! Teaches: a successor. It takes the settings of the filter it replaces and one more that has a default, so that it
//! can be activated in a running pipeline without a word in the pipeline file.

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
    premium_from: Decimal,
}

impl FromConfig for Settings {
    fn from_config(config: &Config) -> Result<Self, String> {
        Ok(Self {
            store_prefix: config.get("store-prefix").unwrap_or("store-").to_owned(),
            premium_from: config.parse_or("premium-from", Decimal::new(25_000, 2))?,
        })
    }
}

fn premium_sale(settings: &Settings, sale: Sale<'_>) -> bool {
    sale.price >= settings.premium_from && sale.store.starts_with(&settings.store_prefix)
}

export!(filter: premium_sale);

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps(settings: &[(&str, &str)], store: &str, cents: i64) -> bool {
        let settings = Settings::from_config(&Config::new(settings.iter().copied())).unwrap();
        premium_sale(&settings, Sale { store, price: Decimal::new(cents, 2) })
    }

    #[test]
    fn the_price_decides_from_250_on_unless_told_otherwise() {
        assert!(keeps(&[], "store-1", 25_000));
        assert!(!keeps(&[], "store-1", 24_999));
        assert!(keeps(&[("premium-from", "3")], "store-1", 300));
        assert!(!keeps(&[("premium-from", "3")], "store-1", 299));
    }

    #[test]
    fn the_store_counts_as_it_did_before() {
        assert!(!keeps(&[], "kiosk-1", 99_900));
        assert!(!keeps(&[("store-prefix", "store-")], "kiosk-1", 99_900));
        assert!(keeps(&[("store-prefix", "store-")], "store-1", 99_900));
    }

    #[test]
    fn a_threshold_that_is_no_price_is_refused_by_its_key() {
        let refusal = Settings::from_config(&Config::new([("premium-from", "much")])).err();
        assert!(refusal.unwrap().contains("`premium-from` is `much`"));
    }
}
