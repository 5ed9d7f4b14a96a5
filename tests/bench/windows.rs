//! Kinds of windows and a process plugin over the same sales, against tumbling windows.

use std::path::Path;

use anyhow::Result;
use sluicegate_produce::sales::{Sales, SalesSettings};
use sluicegate_produce::stream::StreamSettings;

use crate::child;
use crate::events::{self, From};
use crate::keys::Keys;
use crate::plan::{Sizes, say};
use crate::report::{Figures, Unit};
use crate::turns::{Entrant, Turns};

/// The name of windows of 30 s, as in the main job.
const TUMBLING: &str = "tumbling";

/// Every other kind, by name and as it stands in the file. A store sells some five times a second: its sessions last
/// about a minute and a half.
const KINDS: [(&str, &str); 5] = [
    (TUMBLING, events::TUMBLING),
    ("sliding_30s_10s", "type = \"sliding\"\nsize = \"30s\"\nslide = \"10s\""),
    ("sliding_300s_10s", "type = \"sliding\"\nsize = \"300s\"\nslide = \"10s\""),
    ("sliding_3000s_10s", "type = \"sliding\"\nsize = \"3000s\"\nslide = \"10s\""),
    ("session_1s", "type = \"session\"\ngap = \"1s\""),
];

/// `fraud-velocity` by name, and the span whose payments it remembers: some five, and some fifty per card.
const PROCESSES: [(&str, &str); 2] = [("fraud_velocity_1s", "1s"), ("fraud_velocity_10s", "10s")];

/// As in the main job a store sells five times a second. There are fewer stores and more time, so that the windows
/// that begin before the first sale or end behind the last are few, even those of 3,000 s.
const STORES: u32 = 40;
/// See [`STORES`].
const RATE: u64 = 200;

/// All of them in turns, and the memory of keys.
pub(crate) fn measure(sizes: &Sizes, folder: &Path, figures: &mut Figures) -> Result<()> {
    say(&format!("{} sales to files, for kinds of windows", sizes.sales));
    let sales = folder.join("window-sales");
    let stream = StreamSettings { rate: RATE, ..StreamSettings::default() };
    let settings = SalesSettings { stream, stores: STORES, ..SalesSettings::default() };
    events::write_sales(&sales, Sales::new(settings).take(sizes.sales))?;
    let kinds = KINDS.iter().map(|(name, window)| Entrant {
        name,
        pipeline: events::sales_pipeline(From::Files(&sales), window),
    });
    let processes = PROCESSES.iter().map(|(name, within)| Entrant {
        name,
        pipeline: VELOCITY
            .replace("@SALES@", &sales.display().to_string())
            .replace("@WITHIN@", within),
    });
    let entrants: Vec<_> = kinds.chain(processes).collect();
    let turns = Turns::run(&entrants, sizes.rounds, sizes.sales, folder)?;

    let mut add = |part: &str, name: &str| {
        let cost = turns.nanos(name);
        figures.add(format!("{part}.{name}.cpu_ns_per_record"), Unit::Nanos, cost);
        if name != TUMBLING {
            let ratio = turns.ratio(name, TUMBLING);
            figures.add(format!("{part}.{name}.ratio_to_tumbling"), Unit::Ratio, ratio);
        }
    };
    KINDS.iter().for_each(|(name, _)| add("windows", name));
    PROCESSES.iter().for_each(|(name, _)| add("process", name));
    let growth = turns.ratio("sliding_3000s_10s", "sliding_30s_10s");
    figures.add("windows.sliding_3000s_10s.ratio_to_sliding_30s_10s", Unit::Ratio, growth);
    say(&format!("{} keys in memory", sizes.keys));
    let keys: Keys = child::run(&["keys", &sizes.keys.to_string()])?;
    figures.add("process.key.counted_bytes", Unit::Bytes, keys.counted_bytes);
    figures.add("process.key.resident_bytes", Unit::Bytes, keys.resident_bytes);
    Ok(())
}

/// The store is the card, the price the amount, as in `deploy/pipelines/fraud-velocity.toml`.
const VELOCITY: &str = r#"name = "velocity"
[source]
type = "files"
[source.files]
path = "@SALES@"
[schema]
card = { type = "string", pointer = "/store" }
amount = { type = "decimal(18,2)", pointer = "/price" }
ts = "timestamp(s)"
[event_time]
column = "ts"
max_out_of_orderness = "5s"
[[stages]]
id = "velocity"
kind = "process"
plugin = "@PLUGINS@/fraud-velocity.wasm"
config = { more-than = 70, within = "@WITHIN@" }
[process]
key = ["card"]
ttl = "24h"
[[sinks]]
id = "alerts"
type = "parquet"
path = "@FOLDER@/alerts"
[dead_letters]
path = "@FOLDER@/dead"
[checkpoint]
interval = "10s"
path = "@FOLDER@/chain"
"#;
