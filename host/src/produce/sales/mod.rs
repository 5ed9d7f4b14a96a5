//! Sales as a shop would report them, with the flaws of real streams: out of order, late, invalid, undecodable.
//!
//! ```
//! use sluicegate::produce::event::{Event, TimeUnit};
//! use sluicegate::produce::sales::{Sales, SalesSettings};
//! let settings = SalesSettings { seed: 1, ..SalesSettings::default() };
//! let mut value = Vec::new();
//! let first = Sales::new(settings).next().expect("sales never end");
//! first.write_value(TimeUnit::Seconds, &mut value);
//! assert_eq!(value.first(), Some(&b'{'));
//! ```

mod value;

use std::time::Duration;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;

use super::chance::{Delay, Lags, below, bound, draw, moment};

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
    /// Same seed and settings, same events.
    pub seed: u64,
    /// Names `store-0` to `store-(stores - 1)`; at least 1.
    pub stores: u32,
    /// Names `item-0` to `item-(items - 1)`; at least 1.
    pub items: u32,
    /// Event time of the first sale, microseconds since 1970.
    pub start_micros: i64,
    /// Sales per second of event time; at least 1.
    pub rate: u64,
    /// Which part of the sales is up to how much behind.
    pub out_of_order: Delay,
    /// Which part of the sales is this much to twice as much behind.
    pub late: Delay,
    /// Which part of the records cannot be decoded, 0 to 1.
    pub bad_share: f64,
}

impl Default for SalesSettings {
    /// Those of `sluicegate produce sales`: in 2026, a thousand a second, slightly out of order.
    fn default() -> Self {
        Self {
            seed: 0,
            stores: 200,
            items: 1_000,
            start_micros: 1_767_225_600_000_000,
            rate: 1_000,
            out_of_order: Delay { share: 0.2, by: Duration::from_secs(2) },
            late: Delay { share: 0.0, by: Duration::from_secs(60) },
            bad_share: 0.0,
        }
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
    lags: Lags,
    random: Pcg64Mcg,
    made: u64,
}

/// Shares as bounds of a 32-bit number.
#[derive(Clone, Copy, Debug)]
struct Chances {
    unpaid: u64,
    kiosk: u64,
    bad: u64,
}

impl Sales {
    /// The sales of these settings from the first on. Numbers below their least are taken as the least.
    pub fn new(settings: SalesSettings) -> Self {
        let chances = Chances {
            unpaid: bound(UNPAID_SHARE),
            kiosk: bound(UNPAID_SHARE + KIOSK_SHARE),
            bad: bound(settings.bad_share),
        };
        let lags = Lags::new(settings.out_of_order, settings.late);
        let random = Pcg64Mcg::seed_from_u64(settings.seed);
        Self { settings, chances, lags, random, made: 0 }
    }
}

impl Iterator for Sales {
    type Item = Sale;

    /// Never none. Takes the same number of random numbers for every sale, so that a change of one share leaves
    /// all other properties of the events as they are.
    #[inline]
    fn next(&mut self) -> Option<Sale> {
        let (store, item) = draw(&mut self.random);
        let (price, validity) = draw(&mut self.random);
        let (fate, amount) = draw(&mut self.random);
        let (badness, kind) = draw(&mut self.random);
        let price = i64::from(below(price, PRICE_MAX)) + 1;
        let validity = u64::from(validity);
        let is_unpaid = validity < self.chances.unpaid;
        let is_kiosk = !is_unpaid && validity < self.chances.kiosk;
        let is_bad = u64::from(badness) < self.chances.bad;
        let defect = Defect::ALL[below(kind, 6) as usize];
        let now = moment(self.settings.start_micros, self.made, self.settings.rate);
        let sale = Sale {
            store: below(store, self.settings.stores.max(1)),
            is_kiosk,
            item: below(item, self.settings.items.max(1)),
            // Gifts and refunds.
            price_hundredths: match (is_unpaid, price) {
                (false, price) => price,
                (true, ..GIFT_BELOW) => 0,
                (true, price) => -price,
            },
            time_micros: now.saturating_sub(self.lags.micros(fate, amount)),
            defect: is_bad.then_some(defect),
        };
        self.made += 1;
        Some(sale)
    }
}

#[cfg(test)]
mod tests;
