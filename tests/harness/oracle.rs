//! What the answer is: the whole topic, read back from the broker, judged record by record with
//! plain code by the rules of docs/design/time.md. It shares nothing with the host.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::chain::Fates;
use super::topic::StoredRecord;

/// The rules of a job: those of [`super::pipeline::Pipeline::sales`] unless a test says otherwise.
pub struct Rules<'a> {
    /// Seconds.
    pub window_size: i64,
    /// Seconds between the beginnings of windows.
    pub slide: i64,
    /// Seconds of silence that end a session; there are no other windows then. Only for input of which nothing is late.
    pub gap: Option<i64>,
    /// Seconds.
    pub max_out_of_orderness: i64,
    /// Seconds ahead of the record's Kafka timestamp; none: no guard.
    pub max_future_skew: Option<i64>,
    /// The filter, which may differ from record to record when it was swapped on the way.
    pub keeps: &'a dyn Fn(&StoredRecord, &Sale) -> bool,
    /// What the filter refuses or fails at.
    pub refuses: &'a dyn Fn(&StoredRecord, &Sale) -> bool,
    /// The input has ended, so every window fires. Else those that the lane's watermark has passed.
    pub ended: bool,
}

/// The sale in a record.
#[derive(Clone, Debug)]
pub struct Sale {
    pub store: String,
    /// Hundredths.
    pub price: i64,
    /// Seconds since 1970.
    pub ts: i64,
}

/// What must come out.
#[derive(Debug)]
pub struct Answer {
    /// `store | revenue | sales | window_start | window_end`, sorted.
    pub results: Vec<String>,
    /// `store | price | ts` of what the filter keeps, late ones too, sorted: the table of a raw sink.
    pub kept: Vec<String>,
    /// `partition | offset` of the dead letters, sorted.
    pub dead_letters: Vec<String>,
    /// `store | window_start` of the late ones, by the last window over each, sorted.
    pub late: Vec<String>,
    /// How many of each.
    pub fates: Fates,
}

impl Rules<'_> {
    /// Rules of the sales pipeline for a job that has not come to an end.
    pub fn sales() -> Self {
        Self {
            window_size: 30,
            slide: 30,
            gap: None,
            max_out_of_orderness: 5,
            max_future_skew: Some(3_600),
            keeps: &|_, sale| valid(sale),
            refuses: &|_, _| false,
            ended: false,
        }
    }

    /// Judges the records of a topic, in the order of partition and offset.
    pub fn judge(&self, records: &[StoredRecord]) -> Answer {
        let mut answer = Answer {
            results: Vec::new(),
            kept: Vec::new(),
            dead_letters: Vec::new(),
            late: Vec::new(),
            fates: Fates::default(),
        };
        let mut groups: BTreeMap<(i64, i64, String), (i64, u64)> = BTreeMap::new();
        let mut on_time = Vec::new();
        let mut newest: BTreeMap<i32, Option<i64>> = BTreeMap::new();
        for record in records {
            answer.fates.read += 1;
            let newest = newest.entry(record.partition).or_default();
            let Some(sale) = self.sale(record) else {
                answer.fates.dead_lettered += 1;
                answer.dead_letters.push(place_of(record));
                continue;
            };
            // The watermark made by the records before this one, in its own partition.
            let watermark = newest.map(|newest| newest - self.max_out_of_orderness);
            *newest = (*newest).max(Some(sale.ts));
            if (self.refuses)(record, &sale) {
                answer.fates.dead_lettered += 1;
                answer.dead_letters.push(place_of(record));
                continue;
            }
            if !(self.keeps)(record, &sale) {
                answer.fates.filtered += 1;
                continue;
            }
            answer.kept.push(format!("{} | {} | {}", sale.store, money(sale.price), time(sale.ts)));
            let windows = self.windows(sale.ts);
            let last = windows.last().copied();
            let closed = |end: i64| watermark.is_some_and(|watermark| end <= watermark);
            let open: Vec<_> = windows.into_iter().filter(|(_, end)| !closed(*end)).collect();
            if let (Some((start, _)), true) = (last, open.is_empty()) {
                answer.fates.late += 1;
                answer.late.push(format!("{} | {}", sale.store, time(start)));
                continue;
            }
            answer.fates.accepted += 1;
            for (start, end) in open {
                let (sum, count) = groups.entry((start, end, sale.store.clone())).or_default();
                *sum += sale.price;
                *count += 1;
            }
            on_time.push(sale);
        }
        if let Some(gap) = self.gap {
            groups = sessions(on_time, gap);
        }
        let lane =
            newest.values().copied().min().flatten().map(|at| at - self.max_out_of_orderness);
        for ((start, end, store), (sum, count)) in groups {
            if self.ended || lane.is_some_and(|lane| end <= lane) {
                let (sum, start, end) = (money(sum), time(start), time(end));
                answer.results.push(format!("{store} | {sum} | {count} | {start} | {end}"));
            }
        }
        answer.results.sort();
        answer.kept.sort();
        answer.dead_letters.sort();
        answer.late.sort();
        answer
    }

    /// Whether a record is a sale, and not one from the future.
    pub fn is_sale(&self, record: &StoredRecord) -> bool {
        self.sale(record).is_some()
    }

    /// The windows over a time, ascending.
    fn windows(&self, ts: i64) -> Vec<(i64, i64)> {
        if self.gap.is_some() {
            return Vec::new();
        }
        let last = ts - ts.rem_euclid(self.slide);
        let starts = (0..).map(|back| last - back * self.slide);
        let starts = starts.take_while(|start| start + self.window_size > ts);
        let mut windows: Vec<_> = starts.map(|start| (start, start + self.window_size)).collect();
        windows.reverse();
        windows
    }

    /// The sale in a record; none if it is none, or comes from the future.
    fn sale(&self, record: &StoredRecord) -> Option<Sale> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            store: String,
            #[serde(borrow)]
            price: &'a RawValue,
            ts: i64,
        }
        let fields: Fields<'_> = serde_json::from_slice(&record.value).ok()?;
        let ahead = fields.ts * 1_000 - record.timestamp_ms;
        if self.max_future_skew.is_some_and(|skew| ahead > skew * 1_000) {
            return None;
        }
        Some(Sale { store: fields.store, price: hundredths(fields.price.get())?, ts: fields.ts })
    }
}

/// Sessions of each store: its sales in the order of time, cut where they are further apart than the gap.
fn sessions(mut sales: Vec<Sale>, gap: i64) -> BTreeMap<(i64, i64, String), (i64, u64)> {
    sales.sort_by_key(|sale| sale.ts);
    let mut open: BTreeMap<String, (i64, i64, i64, u64)> = BTreeMap::new();
    let mut groups = BTreeMap::new();
    let mut close = |store: String, (start, end, sum, count)| {
        groups.insert((start, end, store), (sum, count));
    };
    for sale in sales {
        let fresh = (sale.ts, sale.ts + gap, sale.price, 1);
        match open.get_mut(&sale.store) {
            Some((_, end, sum, count)) if sale.ts <= *end => {
                *end = sale.ts + gap;
                *sum += sale.price;
                *count += 1;
            }
            _ => {
                let store = sale.store.clone();
                if let Some(closed) = open.insert(sale.store, fresh) {
                    close(store, closed);
                }
            }
        }
    }
    open.into_iter().for_each(|(store, session)| close(store, session));
    groups
}

/// A record in a table of dead letters: `partition | offset`.
pub fn place_of(record: &StoredRecord) -> String {
    format!("{} | {}", record.partition, record.offset)
}

/// What `valid-sale` keeps in these tests.
pub fn valid(sale: &Sale) -> bool {
    sale.price > 0 && sale.store.starts_with("store-")
}

/// `-12.3` → -1230; none if it is no number or has more than two digits behind the point.
fn hundredths(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 2 {
        return None;
    }
    let value: i64 = format!("{whole}{fraction:0<2}").parse().ok()?;
    Some(if negative { -value } else { value })
}

/// `12.30`, as tables show decimals with two digits behind the point.
pub fn money(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths.abs() / 100, hundredths.abs() % 100)
}

/// Seconds since 1970 as tables show them.
pub fn time(seconds: i64) -> String {
    let at = arrow::temporal_conversions::timestamp_s_to_datetime(seconds).unwrap();
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
