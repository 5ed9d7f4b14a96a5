//! The queries over the whole input at once, in plain Rust, by the rules of docs/design/time.md. It
//! shares nothing with the host or the plugins.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::harness::chain::Fates;

/// The bound of all NEXMark pipelines.
const MAX_OUT_OF_ORDERNESS_MS: i64 = 5_000;

/// What must come out.
pub(super) struct Answer {
    /// The compared columns, sorted.
    pub rows: Vec<String>,
    /// How many of each.
    pub fates: Fates,
}

/// Everything that was read.
pub(super) struct Input {
    events: Vec<Event>,
    undecodable: u64,
}

/// An event and what judges it.
#[derive(Debug)]
struct Event {
    kind: String,
    user: i64,
    ts_ms: i64,
    bid: Option<Bid>,
    /// The watermark made by the events before it in its partition.
    watermark_ms: Option<i64>,
}

#[derive(Debug)]
struct Bid {
    auction: i64,
    cents: i64,
    extra: String,
}

/// The events of each window and key.
type Groups<'a, K> = BTreeMap<((i64, i64), K), Vec<&'a Event>>;

impl Input {
    /// Reads the records of each partition, in order.
    pub(super) fn of(partitions: &[Vec<Vec<u8>>]) -> Self {
        let mut input = Self { events: Vec::new(), undecodable: 0 };
        for records in partitions {
            let mut newest: Option<i64> = None;
            for record in records {
                let watermark_ms = newest.map(|newest| newest - MAX_OUT_OF_ORDERNESS_MS);
                match event(record, watermark_ms) {
                    Some(event) => {
                        newest = newest.max(Some(event.ts_ms));
                        input.events.push(event);
                    }
                    None => input.undecodable += 1,
                }
            }
        }
        input
    }

    fn read(&self) -> u64 {
        self.events.len() as u64 + self.undecodable
    }

    /// The bids.
    fn bids(&self) -> Vec<(&Event, &Bid)> {
        let bid = |event| -> Option<(&Event, &Bid)> { Some((event, event.bid.as_ref()?)) };
        self.events.iter().filter_map(bid).collect()
    }

    /// The answer of a query without windows: a row for each event that it keeps.
    fn rows(&self, row: impl Fn(&Event, &Bid) -> Option<String>) -> Answer {
        let rows = sorted(self.bids().into_iter().filter_map(|(event, bid)| row(event, bid)));
        Answer { fates: self.accepting(rows.len()), rows }
    }

    /// The fates if so many are accepted and none is late.
    fn accepting(&self, accepted: usize) -> Fates {
        let (read, accepted, dead_lettered) = (self.read(), accepted as u64, self.undecodable);
        let filtered = read - accepted - dead_lettered;
        Fates { read, accepted, filtered, late: 0, dead_lettered }
    }

    /// Groups the events that `keeps` keeps by window and key, those that are not late for it. `windows` gives the
    /// windows of a moment.
    fn windowed<K: Ord>(
        &self,
        keeps: impl Fn(&Event) -> bool,
        windows: impl Fn(i64) -> Vec<(i64, i64)>,
        key: impl Fn(&Event) -> K,
    ) -> (Groups<'_, K>, Fates) {
        let mut groups = Groups::<K>::new();
        let mut fates =
            Fates { read: self.read(), dead_lettered: self.undecodable, ..Fates::default() };
        for event in &self.events {
            if !keeps(event) {
                fates.filtered += 1;
                continue;
            }
            let mut is_late = true;
            for window in windows(event.ts_ms) {
                if event.watermark_ms.is_none_or(|watermark| window.1 > watermark) {
                    groups.entry((window, key(event))).or_default().push(event);
                    is_late = false;
                }
            }
            *if is_late { &mut fates.late } else { &mut fates.accepted } += 1;
        }
        (groups, fates)
    }
}

/// The event in a record; none if it is none.
fn event(record: &[u8], watermark_ms: Option<i64>) -> Option<Event> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        event: String,
        user: i64,
        ts: i64,
        #[serde(borrow)]
        bid: Option<RawBid<'a>>,
    }
    #[derive(Deserialize)]
    struct RawBid<'a> {
        auction: i64,
        #[serde(borrow)]
        price: &'a RawValue,
        extra: String,
    }
    let Envelope { event, user, ts, bid } = serde_json::from_slice(record).ok()?;
    let bid = bid.map(|RawBid { auction, price, extra }| {
        let (whole, cents) = price.get().split_once('.').unwrap();
        Bid { auction, cents: format!("{whole}{cents}").parse().unwrap(), extra }
    });
    assert_eq!(bid.is_some(), event == "bid");
    Some(Event { kind: event, user, ts_ms: ts, bid, watermark_ms })
}

pub(super) fn q0(input: &Input) -> Answer {
    input.rows(|event, bid| {
        let Bid { auction, cents, .. } = bid;
        Some(format!("{} | {} | {auction} | {}", event.user, time(event.ts_ms), decimal(*cents, 2)))
    })
}

/// 0.908 euro for a dollar: thousandths of cents.
fn euro(bid: &Bid) -> i64 {
    bid.cents * 908
}

pub(super) fn q1(input: &Input) -> Answer {
    input.rows(|event, bid| {
        Some(format!("{} | {} | {}", event.user, time(event.ts_ms), decimal(euro(bid), 5)))
    })
}

pub(super) fn q2(input: &Input) -> Answer {
    input.rows(|_, bid| {
        let row = || format!("{} | {}", bid.auction, decimal(bid.cents, 2));
        (bid.auction % 123 == 0).then(row)
    })
}

pub(super) fn q5(input: &Input) -> Answer {
    let windows = |ts: i64| -> Vec<(i64, i64)> {
        let starts = (0..5).map(|slide| ts - ts.rem_euclid(2_000) - slide * 2_000);
        starts.map(|start| (start, start + 10_000)).collect()
    };
    let (groups, fates) = input.windowed(|event| event.bid.is_some(), windows, |_| ());
    let mut rows = Vec::new();
    for (((start, end), ()), events) in groups {
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        for event in events {
            *counts.entry(event.bid.as_ref().unwrap().auction).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap();
        let hot = counts.into_iter().filter(|(_, count)| *count == most);
        rows.extend(
            hot.map(|(auction, _)| format!("{auction} | {most} | {} | {}", time(start), time(end))),
        );
    }
    Answer { rows: sorted(rows), fates }
}

pub(super) fn q7(input: &Input) -> Answer {
    let (groups, fates) = input.windowed(|event| event.bid.is_some(), tumbling(10_000), |_| ());
    assert!(fates.late > 0, "{fates:?}");
    let mut winners = BTreeSet::new();
    for (((start, end), ()), events) in groups {
        let bids = || events.iter().map(|event| (event.user, event.bid.as_ref().unwrap()));
        let highest = bids().map(|(_, bid)| bid.cents).max().unwrap();
        for (user, bid) in bids().filter(|(_, bid)| bid.cents == highest) {
            let (price, start, end) = (decimal(highest, 2), time(start), time(end));
            winners.insert(format!("{} | {user} | {price} | {start} | {end}", bid.auction));
        }
    }
    Answer { rows: sorted(winners), fates }
}

/// `user | events | window_start` of the groups with at least so many events.
fn counts(input: &Input, keeps: impl Fn(&Event) -> bool, at_least: usize) -> Answer {
    let (groups, fates) = input.windowed(keeps, tumbling(10_000), |event| event.user);
    assert!(fates.late > 0, "{fates:?}");
    let groups = groups.into_iter().filter(|(_, events)| events.len() >= at_least);
    let row = |(((start, _), user), events): (((i64, i64), i64), Vec<&Event>)| {
        format!("{user} | {} | {}", events.len(), time(start))
    };
    Answer { rows: sorted(groups.map(row)), fates }
}

pub(super) fn q8(input: &Input) -> Answer {
    counts(input, |event| event.kind == "person" || event.kind == "auction", 2)
}

pub(super) fn q11(input: &Input) -> Answer {
    const GAP: i64 = 10_000;
    let mut times: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (event, _) in input.bids() {
        times.entry(event.user).or_default().push(event.ts_ms);
    }
    let mut rows = Vec::new();
    let users = times.len();
    for (user, mut times) in times {
        times.sort_unstable();
        for session in times.chunk_by(|earlier, later| later - earlier <= GAP) {
            let (start, end) = (session[0], session[session.len() - 1] + GAP);
            rows.push(format!("{user} | {} | {} | {}", session.len(), time(start), time(end)));
        }
    }
    assert!(rows.len() > users, "users fall silent and come back");
    Answer { rows: sorted(rows), fates: input.accepting(input.bids().len()) }
}

pub(super) fn q12(input: &Input) -> Answer {
    counts(input, |event| event.kind == "bid", 1)
}

pub(super) fn q14(input: &Input) -> Answer {
    let answer = input.rows(|event, bid| {
        let price = euro(bid);
        if price <= 9_080 * 100_000 || price >= 454_000 * 100_000 {
            return None;
        }
        let time_of_day = match event.ts_ms / 3_600_000 % 24 {
            8..=18 => "day",
            7 | 19 => "other",
            _ => "night",
        };
        let letters = bid.extra.matches('c').count();
        Some(format!("{} | {} | {time_of_day} | {letters}", event.user, decimal(price, 5)))
    });
    let of = |name: &str| answer.rows.iter().filter(|row| row.contains(name)).count();
    assert!(of("| day |") > 0 && of("| other |") > 0, "the hour is passed");
    answer
}

pub(super) fn q15(input: &Input) -> Answer {
    let (groups, fates) = input.windowed(|event| event.bid.is_some(), tumbling(86_400_000), |_| ());
    let row = |(((start, _), ()), events): (_, Vec<&Event>)| {
        let start: i64 = start;
        let bids: Vec<_> = events.iter().map(|event| event.bid.as_ref().unwrap()).collect();
        let cheap = bids.iter().filter(|bid| bid.cents < 10_000).count();
        let dear = bids.iter().filter(|bid| bid.cents >= 1_000_000).count();
        let users: BTreeSet<_> = events.iter().map(|event| event.user).collect();
        let auctions: BTreeSet<_> = bids.iter().map(|bid| bid.auction).collect();
        let (users, auctions) = (users.len(), auctions.len());
        format!("{} | {cheap} | {dear} | {users} | {auctions} | {}", bids.len(), time(start))
    };
    Answer { rows: sorted(groups.into_iter().map(row)), fates }
}

fn tumbling(size: i64) -> impl Fn(i64) -> Vec<(i64, i64)> {
    move |ts| {
        let start = ts - ts.rem_euclid(size);
        vec![(start, start + size)]
    }
}

fn sorted(rows: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort();
    rows
}

/// Positive numbers only: there are no other prices.
fn decimal(unscaled: i64, scale: usize) -> String {
    let one = 10_i64.pow(u32::try_from(scale).unwrap());
    format!("{}.{:0scale$}", unscaled / one, unscaled % one)
}

/// Milliseconds since 1970 as tables show them.
fn time(ms: i64) -> String {
    let at = arrow::temporal_conversions::timestamp_ms_to_datetime(ms).unwrap();
    at.format("%Y-%m-%dT%H:%M:%S%.fZ").to_string()
}
