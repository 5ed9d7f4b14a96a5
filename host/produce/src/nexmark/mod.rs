//! An auction house after the NEXMark benchmark: persons register, open auctions and bid.
//!
//! Of fifty events one is a person, three are auctions and the rest are bids, as in NEXMark. Half of the bids go to a
//! few hot auctions, three in four come from hot bidders. Every event has the same envelope (what, who, when), so
//! that all of a user's actions have one key; what only one kind has lies in an object of that name:
//!
//! ```
//! use sluicegate_produce::event::{Event, TimeUnit};
//! use sluicegate_produce::nexmark::Nexmark;
//! use sluicegate_produce::stream::StreamSettings;
//! let mut value = Vec::new();
//! let first = Nexmark::new(StreamSettings::default()).next().expect("events never end");
//! first.write_value(TimeUnit::Millis, &mut value);
//! assert!(value.starts_with(br#"{"event":"person","user":1000,"ts":1767225600000,"person":{"name":""#));
//! ```

mod value;

use super::chance::below;
use super::stream::{Stream, StreamSettings};

/// A person, some auctions and bids take turns in groups of so many.
const GROUP: u64 = 50;
/// Of a group so many are auctions, those after the person.
const AUCTIONS: u64 = 3;
/// Ids begin here, as in NEXMark.
const FIRST_ID: u64 = 1_000;
/// Of so many ids the first is hot for as long as the newest id is one of them.
const HOT_STEP: u64 = 100;
/// Persons that still do something: the newest ones.
const ACTIVE_PERSONS: u64 = 1_000;
/// Auctions that are still open: the newest ones.
const OPEN_AUCTIONS: u64 = 100;

/// One record: something that somebody did, or what was to be that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NexmarkEvent {
    /// Who did it: the person, the seller or the bidder.
    pub user: u64,
    /// Event time, microseconds since 1970.
    pub time_micros: i64,
    /// What it is.
    pub action: Action,
    /// How the record is broken, if it is.
    pub defect: Option<Defect>,
}

/// What a user did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Registered.
    Person {
        /// Random: a name and a city are made of it.
        traits: u32,
    },
    /// Opened an auction.
    Auction {
        /// Its id.
        id: u64,
        /// 0 to 4; what is sold.
        category: u32,
        /// The price to begin at, in hundredths.
        initial_hundredths: i64,
        /// How long it is open.
        seconds: u32,
    },
    /// Bid for an item.
    Bid {
        /// The auction's id.
        auction: u64,
        /// In hundredths; as many below 10 as between 10 and 100, and so on up to a million.
        price_hundredths: i64,
        /// Where it came from: half of the bids by one of four channels, the others by one of a hundred.
        channel: Channel,
        /// Random: twelve letters are made of it.
        extra: u64,
    },
}

/// Where a bid came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// One of four with a name.
    Hot(u32),
    /// One of a hundred with a number.
    Numbered(u32),
}

/// Why a record cannot be decoded. Each concerns what every NEXMark pipeline reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The JSON ends in the middle.
    Truncated,
    /// There is no `ts`.
    NoTime,
    /// `ts` is a word.
    WordAsTime,
    /// There is no `event`.
    NoEvent,
    /// An array instead of an object.
    NoObject,
}

impl Defect {
    /// Each of them, equally often.
    pub const ALL: [Self; 5] =
        [Self::Truncated, Self::NoTime, Self::WordAsTime, Self::NoEvent, Self::NoObject];
}

/// Events without end.
#[derive(Clone, Debug)]
pub struct Nexmark(Stream);

impl Nexmark {
    /// The events of these settings from the first on.
    pub fn new(settings: StreamSettings) -> Self {
        Self(Stream::new(settings))
    }
}

impl Iterator for Nexmark {
    type Item = NexmarkEvent;

    /// Never none.
    #[inline]
    fn next(&mut self) -> Option<NexmarkEvent> {
        let stream = &mut self.0;
        let (group, place) = (stream.made() / GROUP, stream.made() % GROUP);
        let who = stream.draw();
        let what = stream.draw();
        let price = price_hundredths(stream.draw());
        let (channel, traits) = stream.draw();
        let extra = stream.draw();
        let (time_micros, badness) = stream.end_event();

        // The newest person, and how many auctions there are with this event.
        let person = group;
        let opened = group * AUCTIONS + place.min(AUCTIONS);
        let action = if place == 0 {
            Action::Person { traits }
        } else if place <= AUCTIONS {
            Action::Auction {
                id: FIRST_ID + opened - 1,
                category: below(what.0, 5),
                initial_hundredths: price,
                seconds: 10 + below(what.1, 110),
            }
        } else {
            Action::Bid {
                auction: FIRST_ID + hot_or_recent(what, 2, opened - 1, OPEN_AUCTIONS),
                price_hundredths: price,
                channel: match below(channel, 200) {
                    hot @ 0..100 => Channel::Hot(hot % 4),
                    cold => Channel::Numbered(cold - 100),
                },
                extra: u64::from(extra.0) << 32 | u64::from(extra.1),
            }
        };
        let user = match action {
            Action::Person { .. } => FIRST_ID + person,
            _ => FIRST_ID + hot_or_recent(who, 4, person, ACTIVE_PERSONS),
        };
        let defect = badness.map(|kind| Defect::ALL[below(kind, 5) as usize]);
        Some(NexmarkEvent { user, time_micros, action, defect })
    }
}

/// A number up to `newest`: the hot one, but once in `ratio` one of the `recent` newest.
#[inline]
fn hot_or_recent((luck, which): (u32, u32), ratio: u32, newest: u64, recent: u64) -> u64 {
    if below(luck, ratio) > 0 {
        return newest / HOT_STEP * HOT_STEP;
    }
    let recent = u32::try_from(recent.min(newest + 1)).expect("the constants are small");
    newest - u64::from(below(which, recent))
}

/// 1.00 to 999,999.99, each power of ten as often as the others.
#[inline]
fn price_hundredths((magnitude, digits): (u32, u32)) -> i64 {
    let low = 100 * 10_u32.pow(below(magnitude, 6));
    i64::from(low + below(digits, 9 * low))
}

#[cfg(test)]
mod tests;
