//! Sales as a shop would report them, with the flaws of real streams: out of order, late, invalid, undecodable.
//!
//! ```
//! use sluicegate_produce::event::{Event, TimeUnit};
//! use sluicegate_produce::sales::{Sales, SalesSettings};
//! let settings = SalesSettings { stores: 3, ..SalesSettings::default() };
//! let mut value = Vec::new();
//! let first = Sales::new(settings).next().expect("sales never end");
//! first.write_value(TimeUnit::Seconds, &mut value);
//! assert_eq!(value.first(), Some(&b'{'));
//! ```

mod value;

use super::chance::{below, bound};
use super::stream::{Stream, StreamSettings};

/// One sale in twenty has a price of zero or less, and one in twenty a store that is none: what a filter is for.
const UNPAID_SHARE: f64 = 0.05;
/// See [`UNPAID_SHARE`].
const KIOSK_SHARE: f64 = 0.05;
/// Prices are 0.01 to this, in hundredths.
const PRICE_MAX: u32 = 50_000;

/// An unpaid sale below this price, in hundredths, is a gift: its price is zero.
const GIFT_BELOW: i64 = 10_000;

/// What sales to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SalesSettings {
    /// How they come.
    pub stream: StreamSettings,
    /// Names `store-0` to `store-(stores - 1)`; at least 1.
    pub stores: u32,
    /// Names `item-0` to `item-(items - 1)`; at least 1.
    pub items: u32,
}

impl Default for SalesSettings {
    /// Those of `sluicegate produce sales`.
    fn default() -> Self {
        Self { stream: StreamSettings::default(), stores: 200, items: 1_000 }
    }
}

/// One record: a sale, or what was to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Number of the store.
    pub store: u32,
    /// It is no store but a kiosk: a prefix that the filter of the examples does not know.
    pub is_kiosk: bool,
    /// Number of the item.
    pub item: u32,
    /// Price in hundredths; zero or less in a sale that no filter should let pass.
    pub price_hundredths: i64,
    /// Event time, microseconds since 1970.
    pub time_micros: i64,
    /// How the record is broken, if it is.
    pub defect: Option<Defect>,
}

/// Why a record cannot be decoded. Each concerns what every example pipeline reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The JSON ends in the middle.
    Truncated,
    /// There is no `ts`.
    NoTime,
    /// `ts` is a word.
    WordAsTime,
    /// `price` is a word.
    WordAsPrice,
    /// An array instead of an object.
    NoObject,
    /// The store's name is no UTF-8.
    NoUtf8,
}

impl Defect {
    /// Each of them, equally often.
    pub const ALL: [Self; 6] = [
        Self::Truncated,
        Self::NoTime,
        Self::WordAsTime,
        Self::WordAsPrice,
        Self::NoObject,
        Self::NoUtf8,
    ];
}

/// Sales without end.
#[derive(Clone, Debug)]
pub struct Sales {
    settings: SalesSettings,
    chances: Chances,
    stream: Stream,
}

/// Shares as bounds of a 32-bit number.
#[derive(Clone, Copy, Debug)]
struct Chances {
    unpaid: u64,
    kiosk: u64,
}

impl Sales {
    /// The sales of these settings from the first on. Numbers below their least are taken as the least.
    pub fn new(settings: SalesSettings) -> Self {
        let chances =
            Chances { unpaid: bound(UNPAID_SHARE), kiosk: bound(UNPAID_SHARE + KIOSK_SHARE) };
        Self { settings, chances, stream: Stream::new(settings.stream) }
    }
}

impl Iterator for Sales {
    type Item = Sale;

    /// Never none.
    #[inline]
    fn next(&mut self) -> Option<Sale> {
        let (store, item) = self.stream.draw();
        let (price, validity) = self.stream.draw();
        let (time_micros, badness) = self.stream.end_event();
        let price = i64::from(below(price, PRICE_MAX)) + 1;
        let validity = u64::from(validity);
        let is_unpaid = validity < self.chances.unpaid;
        let is_kiosk = !is_unpaid && validity < self.chances.kiosk;
        Some(Sale {
            store: below(store, self.settings.stores.max(1)),
            is_kiosk,
            item: below(item, self.settings.items.max(1)),
            // Gifts and refunds.
            price_hundredths: match (is_unpaid, price) {
                (false, price) => price,
                (true, ..GIFT_BELOW) => 0,
                (true, price) => -price,
            },
            time_micros,
            defect: badness.map(|kind| Defect::ALL[below(kind, 6) as usize]),
        })
    }
}

#[cfg(test)]
mod tests;
