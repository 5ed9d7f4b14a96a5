//! Makes one row per item of a basket: `item = "apple;pear"` becomes a row with `apple` and one with `pear`, which
//! share the price to the last cent.
//!
//! Teaches: a map from one row to many; outputs that take the place of columns, while all other columns of the
//! pipeline (store, time) travel along without passing through the plugin; borrowing from the input.

use sluicegate_sdk::prelude::*;

/// What it reads of a sale.
#[derive(Row)]
pub struct Basket<'a> {
    item: Option<&'a str>,
    price: Decimal,
}

/// What it makes: these two take the place of the sale's own.
#[derive(OutputRow)]
pub struct Item<'a> {
    item: Option<&'a str>,
    #[column(decimal(18, 2))]
    price: Decimal,
}

/// What the pipeline file says.
pub struct Settings {
    separator: String,
}

impl FromConfig for Settings {
    fn from_config(config: &Config) -> Result<Self, String> {
        match config.get("separator").unwrap_or(";") {
            "" => {
                Err("configuration `separator` is empty: give the text between two items"
                    .to_owned())
            }
            separator => Ok(Self { separator: separator.to_owned() }),
        }
    }
}

fn split_basket(
    settings: &Settings,
    basket: Basket<'_>,
    out: &mut Emit<Item<'_>>,
) -> Result<(), &'static str> {
    let price = basket.price.rescale(2).ok_or("the price has digits beyond cents")?;
    let Some(items) = basket.item else {
        out.push(Item { item: None, price });
        return Ok(());
    };
    let cents = price.unscaled();
    let count = items.split(&settings.separator).count() as i64;
    for (index, item) in (0..count).zip(items.split(&settings.separator)) {
        // The cents that do not divide go to the first items, one each, so that the sum stays what it was.
        let share =
            cents / count + (cents % count).signum() * i64::from(index < (cents % count).abs());
        out.push(Item { item: Some(item.trim()), price: Decimal::new(share, 2) });
    }
    Ok(())
}

export!(map: split_basket);

#[cfg(test)]
mod tests;
