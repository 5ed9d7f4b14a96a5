//! The sales: as files, as a topic, and the pipelines that read them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use sluicegate_model::time::Clock;
use sluicegate_produce::event::{Event, TimeUnit};
use sluicegate_produce::kafka::{KafkaSender, KafkaTarget, Pace};
use sluicegate_produce::sales::{Sale, Sales, SalesSettings};
use xtask::workspace::Workspace;

/// Files, and partitions of the topic.
pub(crate) const PARTITIONS: i32 = 3;

/// As `sluicegate produce sales` makes them: 200 stores, 1,000 sales a second of event time, one in five up to 2 s
/// out of order, one in ten for the filter.
pub(crate) fn sales(count: usize) -> impl Iterator<Item = Sale> {
    Sales::new(SalesSettings::default()).take(count)
}

/// Writes the sales as NDJSON, a store always into the same file, as a topic has a key always in the same partition.
pub(crate) fn write_sales(folder: &Path, sales: impl Iterator<Item = Sale>) -> Result<()> {
    write_files(folder, sales, TimeUnit::Seconds, |sale| sale.store.into())
}

/// Writes events as NDJSON, those of a key always into the same file.
pub(crate) fn write_files<E: Event>(
    folder: &Path,
    events: impl Iterator<Item = E>,
    unit: TimeUnit,
    key: impl Fn(&E) -> u64,
) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create `{}`", folder.display()))?;
    let create = |index: i32| {
        let path = folder.join(format!("{index}.ndjson"));
        let file = File::create(&path).with_context(|| format!("create `{}`", path.display()))?;
        Ok(BufWriter::with_capacity(1 << 20, file))
    };
    let mut files = (0..PARTITIONS).map(create).collect::<Result<Vec<_>>>()?;
    let mut line = Vec::with_capacity(256);
    for event in events {
        line.clear();
        event.write_value(unit, &mut line);
        line.push(b'\n');
        let file = key(&event) as usize % files.len();
        files[file].write_all(&line).context("write events")?;
    }
    files.iter_mut().try_for_each(|file| file.flush()).context("write events")
}

/// The paths of the files in a folder, in order.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list `{}`", folder.display()))?;
    let mut paths =
        entries.map(|entry| Ok(entry.context("list files")?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Where a topic is.
pub(crate) fn target(brokers: &str, topic: &str) -> KafkaTarget {
    KafkaTarget {
        brokers: brokers.to_owned(),
        topic: topic.to_owned(),
        partitions: Some(PARTITIONS),
        properties: BTreeMap::new(),
    }
}

/// Fills a new topic with the sales, compressed by lz4.
pub(crate) fn fill_topic(brokers: &str, topic: &str, count: usize) -> Result<()> {
    let (clock, stop) = (Clock::system(), AtomicBool::new(false));
    let pace = Pace { rate: None, clock: &clock, stop: &stop };
    let sender = KafkaSender::connect(&target(brokers, topic))?;
    let sent = sender.send(sales(count), TimeUnit::Seconds, &pace, |_| ());
    if sent.delivered != count as u64 {
        bail!("only {} of {count} sales were delivered: {:?}", sent.delivered, sent.reason);
    }
    Ok(())
}

/// Where a pipeline reads.
#[derive(Clone, Copy)]
pub(crate) enum From<'a> {
    Files(&'a Path),
    /// The whole topic, then the end.
    Topic {
        brokers: &'a str,
        topic: &'a str,
        /// `source.kafka.fetch`.
        fetch: &'a str,
    },
    /// What comes, without an end.
    Live {
        brokers: &'a str,
        topic: &'a str,
    },
}

/// Writes the pipeline file of the main job into an emptied folder, and says where it is. It is
/// `deploy/pipelines/sales.toml`: valid sales, revenue per store in windows of 30 s, to Parquet.
pub(crate) fn pipeline(folder: &Path, from: From<'_>) -> Result<PathBuf> {
    write_pipeline(folder, &sales_pipeline(from, TUMBLING))
}

/// The windows of the main job.
pub(crate) const TUMBLING: &str = "type = \"tumbling\"\nsize = \"30s\"";

/// The pipeline of the main job with other windows.
pub(crate) fn sales_pipeline(from: From<'_>, window: &str) -> String {
    let text = [VALID, REVENUE, RESULTS].concat().replace("@SOURCE@", &source(from));
    text.replace("@WINDOW@", window).replace("@SINK@", TO_PARQUET)
}

/// Valid sales as they are, to `sink`: the main job without window and aggregate.
pub(crate) fn raw_pipeline(from: From<'_>, sink: &str) -> String {
    [VALID, RESULTS].concat().replace("@SOURCE@", &source(from)).replace("@SINK@", sink)
}

/// A sink of [`raw_pipeline`].
pub(crate) const TO_PARQUET: &str = "type = \"parquet\"\npath = \"@FOLDER@/results\"";

/// A sink of [`raw_pipeline`]. The topic must be there.
pub(crate) fn to_topic(brokers: &str, topic: &str) -> String {
    format!("type = \"kafka\"\nbrokers = \"{brokers}\"\ntopic = \"{topic}\"")
}

fn source(from: From<'_>) -> String {
    match from {
        From::Files(path) => {
            format!("type = \"files\"\n[source.files]\npath = \"{}\"", path.display())
        }
        From::Topic { brokers, topic, fetch } => {
            let range = format!("start = \"earliest\"\nend = \"latest\"\nfetch = \"{fetch}\"");
            kafka(brokers, topic, &range)
        }
        From::Live { brokers, topic } => kafka(brokers, topic, "start = \"latest\""),
    }
}

/// Writes a pipeline file into an emptied folder, and says where it is. `@FOLDER@` in its text is that folder,
/// `@PLUGINS@` that of the plugins.
pub(crate) fn write_pipeline(folder: &Path, text: &str) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("empty `{}`", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("create `{}`", folder.display()))?;
    let text = text
        .replace("@FOLDER@", &folder.display().to_string())
        .replace("@PLUGINS@", &Workspace::here().plugins().display().to_string());
    let path = folder.join("pipeline.toml");
    fs::write(&path, text).with_context(|| format!("write `{}`", path.display()))?;
    Ok(path)
}

fn kafka(brokers: &str, topic: &str, range: &str) -> String {
    format!(
        "type = \"kafka\"\n[source.kafka]\nbrokers = \"{brokers}\"\ntopic = \"{topic}\"\n{range}"
    )
}

/// Valid sales, from wherever.
const VALID: &str = r#"name = "sales"
[source]
@SOURCE@
[schema]
store = "string"
item = { type = "string", nullable = true }
price = "decimal(18,2)"
ts = "timestamp(s)"
[event_time]
column = "ts"
max_out_of_orderness = "5s"
[[stages]]
id = "valid"
kind = "filter"
plugin = "@PLUGINS@/valid-sale.wasm"
config = { store-prefix = "store-" }
"#;

const REVENUE: &str = r#"[[stages]]
id = "revenue"
kind = "aggregate"
plugin = "@PLUGINS@/revenue.wasm"
[window]
@WINDOW@
key = ["store"]
"#;

const RESULTS: &str = r#"[[sinks]]
id = "results"
@SINK@
[dead_letters]
path = "@FOLDER@/dead"
[checkpoint]
interval = "10s"
path = "@FOLDER@/chain"
"#;
