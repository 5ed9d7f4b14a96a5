//! Keeps the events of some kinds, and of those that are about an auction every n-th auction's: the first step of
//! all NEXMark pipelines, and query 2 as a whole.
//!
//! Teaches: one filter for many pipelines, by settings that are read once; a column that not every record has.

use sluicegate_sdk::prelude::*;

/// What it reads of an event.
#[derive(Row)]
pub struct Event<'a> {
    event: &'a str,
    auction: Option<i64>,
}

/// What the pipeline file says.
pub struct Settings {
    events: Vec<String>,
    /// None: whatever the auction.
    auctions_divisible_by: Option<i64>,
}

impl FromConfig for Settings {
    fn from_config(config: &Config) -> Result<Self, String> {
        let events = config.require("events")?.split(',').map(|kind| kind.trim().to_owned());
        let auctions_divisible_by = match config.get("auctions-divisible-by") {
            None => None,
            Some(_) => match config.parse_or("auctions-divisible-by", 1)? {
                number @ 1.. => Some(number),
                other => {
                    return Err(format!(
                        "configuration `auctions-divisible-by` is `{other}`: it is at least 1"
                    ));
                }
            },
        };
        Ok(Self { events: events.collect(), auctions_divisible_by })
    }
}

fn select(settings: &Settings, event: Event<'_>) -> bool {
    let is_wanted = settings.events.iter().any(|kind| kind == event.event);
    is_wanted
        && settings
            .auctions_divisible_by
            .is_none_or(|number| event.auction.is_some_and(|auction| auction % number == 0))
}

export!(filter: select);

#[cfg(test)]
mod tests;
