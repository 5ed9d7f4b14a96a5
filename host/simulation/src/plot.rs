//! What a story is about: a pipeline, the records that come, and what tables and topic must have in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use rand_pcg::Pcg64Mcg;
use sluicegate_model::position::Partition;
use sluicegate_pipeline::Pipeline;

use super::source::Logs;

const HEAD: &str = r#"
name = "story"
[source]
type = "files"
[source.files]
path = "unused"
[schema]
id = "string"
key = "string"
at = "timestamp(s)"
[event_time]
column = "at"
max_out_of_orderness = "5s"
[dead_letters]
path = "unused-dead"
format = "FORMAT"
[checkpoint]
path = "unused-chain"
interval = "700ms"
[limits]
workers = 1
[leadership]
ttl = "3s"
margin = "500ms"
[[sinks]]
id = "table"
type = "FORMAT"
path = "unused-rows"
"#;

const WINDOWS: &str = r#"
[[stages]]
id = "list"
kind = "aggregate"
plugin = "ids"
[window]
type = "tumbling"
size = "10s"
key = ["key"]
[late]
path = "unused-late"
format = "FORMAT"
"#;

const TOPIC: &str = r#"
[[sinks]]
id = "topic"
type = "kafka"
brokers = "unused:1"
topic = "unused"
"#;

/// The stage with state, where a plot has one.
pub(crate) const STAGE: &str = "list";

/// Seconds.
const WINDOW: i64 = 10;
const OUT_OF_ORDER: i64 = 5;

pub(crate) struct Plot {
    pub(crate) config: Arc<Pipeline>,
    pub(crate) logs: Arc<Logs>,
    /// What the tables must have: each of these texts once, as [`super::reader`] reads it.
    pub(crate) rows: BTreeSet<String>,
    /// The same of the topic.
    pub(crate) messages: BTreeSet<String>,
}

/// A record, as it was meant.
struct Event {
    id: String,
    key: String,
    at: i64,
    is_broken: bool,
}

impl Plot {
    /// One of a few pipelines, with records that come within some `time`.
    pub(crate) fn new(random: &mut Pcg64Mcg, time: Duration) -> Self {
        let (windows, topic) =
            [(false, false), (true, false), (true, true)][random.random_range(0..3)];
        let text = [HEAD, if windows { WINDOWS } else { "" }, if topic { TOPIC } else { "" }];
        let format = if random.random() { "delta" } else { "parquet" };
        let text = text.concat().replace("FORMAT", format);
        let parsed =
            sluicegate_pipeline::file::parse(&text, Path::new("story.toml"), &BTreeMap::new());
        let config = Arc::new(parsed.expect("the pipeline is well formed"));
        let (mut logs, mut rows, mut results) = (Logs::new(), BTreeSet::new(), BTreeSet::new());
        for number in 0..random.random_range(1..=3) {
            let events = events(random, number);
            judge(number, &events, windows, &mut rows, &mut results);
            let mut at = Duration::ZERO;
            let pace = 2.0 / events.len().max(1) as f64;
            let log = events.iter().map(|event| {
                at += time.mul_f64(random.random_range(0.0..pace));
                (at, event.text())
            });
            let log = log.collect();
            logs.insert(Partition { stream: Arc::from("log"), number }, log);
        }
        rows.extend(results.iter().cloned());
        let messages = if topic { results } else { BTreeSet::new() };
        Self { config, logs: Arc::new(logs), rows, messages }
    }

    pub(crate) fn has_stage(&self) -> bool {
        self.config.stateful_stage().is_some()
    }
}

impl Event {
    fn text(&self) -> String {
        let Self { id, key, at, is_broken } = self;
        let end = if *is_broken { "" } else { "}" };
        format!(r#"{{"id":"{id}","key":"{key}","at":{at}{end}"#)
    }
}

fn events(random: &mut Pcg64Mcg, number: i32) -> Vec<Event> {
    let event = |offset: i64, random: &mut Pcg64Mcg| Event {
        id: format!("{number}-{offset}"),
        // A key is of one partition: then the order of its rows is given.
        key: format!("{number}{}", ["a", "b"][random.random_range(0..2)]),
        at: 1_000 + offset - random.random_range(0..20),
        is_broken: random.random_ratio(1, 30),
    };
    let count = random.random_range(0..50);
    (0..count).map(|offset| event(offset, random)).collect()
}

/// What becomes of the records of a partition, computed in one go. (docs/design/time.md#rule-2)
fn judge(
    number: i32,
    events: &[Event],
    windows: bool,
    rows: &mut BTreeSet<String>,
    results: &mut BTreeSet<String>,
) {
    let mut watermark = i64::MIN;
    let mut groups: BTreeMap<(i64, &str), String> = BTreeMap::new();
    for (offset, Event { id, key, at, is_broken }) in events.iter().enumerate() {
        if *is_broken {
            rows.insert(format!("dead {number}-{offset}"));
            continue;
        }
        let before = watermark;
        watermark = watermark.max(at - OUT_OF_ORDER);
        let start = at - at.rem_euclid(WINDOW);
        if !windows {
            rows.insert(format!("row {id}"));
        } else if before >= start + WINDOW {
            rows.insert(format!("late {id}"));
        } else {
            let ids = groups.entry((start, key)).or_default();
            ids.push_str(id);
            ids.push(';');
        }
    }
    results.extend(groups.into_iter().map(|((_, key), ids)| format!("{key} {ids}")));
}
