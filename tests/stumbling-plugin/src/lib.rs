//! `valid-sale` that stumbles over the sales of one kiosk, which that one drops: it traps, or it never answers.

use std::hint::black_box;

use sluicegate_sdk::prelude::*;

/// A test replaces the last word in the module's bytes by another of the same length: at an `s` it never answers.
static STUMBLES: [u8; 14] = *b"stumbles:traps";

/// The kiosk.
const STONE: &str = "kiosk-0";

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

fn stumbling_sale(settings: &Settings, sale: Sale<'_>) -> bool {
    if sale.store == STONE {
        stumble();
    }
    sale.price > Decimal::ZERO && sale.store.starts_with(&settings.store_prefix)
}

#[expect(clippy::empty_loop, reason = "that is how it stumbles")]
fn stumble() -> ! {
    // The compiler must not know what is in it.
    if black_box(&STUMBLES)[9] == b's' {
        loop {}
    }
    // Without a word, so that the logs of hosts speak of their own panics only.
    std::process::abort()
}

export!(filter: stumbling_sale);
