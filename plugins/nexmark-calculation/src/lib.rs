//! Keeps bids of a range of prices, and says of each at what time of the day it came and how often a letter stands in
//! its text: NEXMark's query 14, whose point is that a user's own function runs on every row.
//!
//! Teaches: a map that drops rows by emitting none; a function of one's own; times.

use sluicegate_sdk::prelude::*;

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// What it reads of a bid.
#[derive(Row)]
pub struct Bid<'a> {
    ts: Timestamp,
    price: Option<Decimal>,
    extra: Option<&'a str>,
}

/// What it makes beside the bid's own columns.
#[derive(OutputRow)]
pub struct Facts<'a> {
    time_of_day: &'a str,
    letters: i64,
}

/// What the pipeline file says.
pub struct Settings {
    above: Decimal,
    below: Decimal,
    letter: char,
}

impl FromConfig for Settings {
    fn from_config(config: &Config) -> Result<Self, String> {
        Ok(Self {
            above: config.parse_or("price-above", Decimal::ZERO)?,
            below: config.parse_or("price-below", Decimal::new(10_i64.pow(15), 0))?,
            letter: config.parse_or("letter", 'c')?,
        })
    }
}

/// By the clock in UTC, which is what all machines agree on.
fn time_of_day(ts: Timestamp) -> &'static str {
    match ts.0.div_euclid(MICROS_PER_HOUR).rem_euclid(24) {
        8..=18 => "day",
        0..=6 | 20..=23 => "night",
        _ => "other",
    }
}

fn calculate(settings: &Settings, bid: Bid<'_>, out: &mut Emit<Facts<'_>>) {
    let is_wanted = |price| price > settings.above && price < settings.below;
    if bid.price.is_some_and(is_wanted) {
        let text = bid.extra.unwrap_or_default();
        let letters = text.chars().filter(|letter| *letter == settings.letter).count() as i64;
        out.push(Facts { time_of_day: time_of_day(bid.ts), letters });
    }
}

export!(map: calculate);

#[cfg(test)]
mod tests;
