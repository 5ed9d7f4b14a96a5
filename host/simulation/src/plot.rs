//! What a story is about: a pipeline, the records that come, and what tables and topic must have in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use rand_pcg::Pcg64Mcg;
use sluicegate_chain::Keep;
use sluicegate_engine::lane::Bases;
use sluicegate_model::position::Partition;
use sluicegate_pipeline::{Pipeline, SinkConfig, SinkKind, TableFormat};

use super::judge::{Judged, judge};
use super::kind::{Event, GAP, Kind, LENGTH_MAX, WINDOW};
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
interval = "INTERVALms"
[limits]
workers = 1
[leadership]
ttl = "3s"
margin = "500ms"
[[sinks]]
id = "table"
type = "FORMAT"
path = "unused-rows"
CORRECTIONS
"#;

const WINDOWS: &str = r#"
[[stages]]
id = "list"
kind = "aggregate"
plugin = "ids"
[window]
KIND
key = ["key"]
allowed_lateness = "LATENESSs"
[late]
path = "unused-late"
format = "FORMAT"
"#;

const PROCESS: &str = r#"
[[stages]]
id = "list"
kind = "process"
plugin = "diary"
[process]
key = ["key"]
ttl = "TTL"
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

pub(crate) struct Plot {
    pub(crate) config: Arc<Pipeline>,
    pub(crate) kind: Kind,
    pub(crate) logs: Arc<Logs>,
    /// What the tables must have: each of these texts once, as [`super::rows`] reads it.
    pub(crate) rows: BTreeSet<String>,
    /// The same of the topic.
    pub(crate) messages: BTreeSet<String>,
    pub(crate) bases: Bases,
    pub(crate) keep: Keep,
    /// Objects of more than two parts of so many bytes go up part by part.
    pub(crate) part_bytes: Option<u64>,
}

impl Plot {
    /// One of a few pipelines, with records that come within some `time`.
    pub(crate) fn new(random: &mut Pcg64Mcg, time: Duration) -> Self {
        let kind = kind(random);
        let corrects = kind.lateness() > 0;
        let has_topic = kind != Kind::Raw && !corrects && random.random();
        let text = [HEAD, &kind.toml(), if has_topic { TOPIC } else { "" }].concat();
        let format = if random.random() { "delta" } else { "parquet" };
        let corrections = if corrects { "corrections = \"append\"" } else { "" };
        let interval = [300, 700][random.random_range(0..2)].to_string();
        let text = text.replace("FORMAT", format).replace("CORRECTIONS", corrections);
        let text = text.replace("INTERVAL", &interval);
        let parsed =
            sluicegate_pipeline::file::parse(&text, Path::new("story.toml"), &BTreeMap::new());
        let config = Arc::new(parsed.expect("the pipeline is well formed"));
        let partitions: Vec<Vec<Event>> =
            (0..random.random_range(1..=3)).map(|number| events(random, number)).collect();
        let Judged { rows, results } = judge(&partitions, kind);
        let logs = Arc::new(logs(&partitions, time, random));
        let message = |(key, ids): &(String, String)| format!("{key} {ids}");
        let messages = results.iter().filter(|_| has_topic).map(message).collect();
        let (bases, keep) = (bases(random), keep(random));
        let part_bytes = random.random_bool(0.3).then(|| random.random_range(150..1_500));
        Self { config, kind, logs, rows, messages, bases, keep, part_bytes }
    }
}

impl Plot {
    /// Whether all that it writes to says which chain writes: Delta tables do, and a topic takes messages of any.
    pub(crate) fn tables_name_chains(&self) -> bool {
        let is_topic = |sink: &SinkConfig| matches!(sink.kind, SinkKind::Kafka(_));
        let mut tables = self.config.tables().into_iter();
        tables.all(|(_, table)| table.format == TableFormat::Delta)
            && !self.config.sinks.iter().any(is_topic)
    }
}

impl Kind {
    /// The modules that its stage may run, if it has one: they do the same.
    pub(crate) fn modules(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Raw => None,
            Self::Tumbling { .. } | Self::Sessions { .. } => Some(["ids", "ids-too"]),
            Self::Process { .. } => Some(["diary", "diary-too"]),
        }
    }

    /// How long windows are corrected, seconds.
    pub(crate) fn lateness(self) -> i64 {
        match self {
            Self::Tumbling { lateness } | Self::Sessions { lateness } => lateness,
            Self::Raw | Self::Process { .. } => 0,
        }
    }

    fn toml(self) -> String {
        let windows = |kind: &str| {
            WINDOWS.replace("KIND", kind).replace("LATENESS", &self.lateness().to_string())
        };
        match self {
            Self::Raw => String::new(),
            Self::Tumbling { .. } => windows(&format!("type = \"tumbling\"\nsize = \"{WINDOW}s\"")),
            Self::Sessions { .. } => windows(&format!(
                "type = \"session\"\ngap = \"{GAP}s\"\nmax_length = \"{LENGTH_MAX}s\""
            )),
            Self::Process { ttl } => {
                PROCESS.replace("TTL", &ttl.map_or("off".to_owned(), |ttl| format!("{ttl}s")))
            }
        }
    }
}

fn kind(random: &mut Pcg64Mcg) -> Kind {
    let lateness = if random.random_bool(0.5) { 0 } else { random.random_range(1..15) };
    match random.random_range(0..7) {
        0 => Kind::Raw,
        1..3 => Kind::Tumbling { lateness },
        3..5 => Kind::Sessions { lateness },
        _ => Kind::Process { ttl: (lateness > 0).then_some(lateness) },
    }
}

/// As it is, or so that stories, whose states are small, write deltas.
fn bases(random: &mut Pcg64Mcg) -> Bases {
    if random.random_bool(0.25) {
        return Bases::default();
    }
    let (merged_from, deltas_max) = match random.random() {
        true => (0, random.random_range(1..3)),
        false => (u64::MAX, random.random_range(1..8)),
    };
    Bases { deltas_from: 0, deltas_max, deltas_percent: 10_000, merged_from }
}

/// As it is, or so that stories, whose chains are short, let go of their beginnings.
fn keep(random: &mut Pcg64Mcg) -> Keep {
    if random.random_bool(0.25) {
        return Keep::default();
    }
    let (look_back, tick) = (random.random_range(2..5), Duration::from_millis(300));
    Keep { look_back, tick, age: Duration::ZERO, ..Keep::default() }
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
        key: format!("{number}{}", ["a", "b", "c"][random.random_range(0..3)]),
        at: 1_000 + offset - random.random_range(0..20),
        is_broken: random.random_ratio(1, 30),
    };
    let count = random.random_range(0..50);
    (0..count).map(|offset| event(offset, random)).collect()
}

/// When each record comes, within some `time`.
fn logs(partitions: &[Vec<Event>], time: Duration, random: &mut Pcg64Mcg) -> Logs {
    let mut logs = Logs::new();
    for (number, events) in (0..).zip(partitions) {
        let (mut at, pace) = (Duration::ZERO, 2.0 / events.len().max(1) as f64);
        let log = events.iter().map(|event| {
            at += time.mul_f64(random.random_range(0.0..pace));
            (at, event.text())
        });
        let log = log.collect();
        logs.insert(Partition { stream: Arc::from("log"), number }, log);
    }
    logs
}
