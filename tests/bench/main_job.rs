//! The main job: which runs there are, in which order, and which figures they make.

use std::path::Path;

use anyhow::Result;
use sluicegate_produce::kafka::KafkaSender;
use xtask::services::{self, Kafka};
use xtask::workspace::Workspace;

use crate::boundary::Boundary;
use crate::child;
use crate::events::{self, From};
use crate::plan::{Sizes, say, text};
use crate::report::{Figures, Unit, quantile};
use crate::rounds::{Input, PART, RAW_TOPIC, rounds};
use crate::{idle, live, scaling};

const TOPIC: &str = "sales";

/// The job against its references, calls of plugins, swaps, latency.
pub(crate) fn measure(
    sizes: &Sizes,
    workspace: &Workspace,
    folder: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let (sales, part) = (folder.join("sales"), folder.join("sales.part"));
    say(&format!("{} sales to files and to Apache Kafka", sizes.sales));
    events::write_sales(&sales, events::sales(sizes.sales))?;
    events::write_sales(&part, events::sales(sizes.sales / PART))?;
    services::kafka::fetch(workspace)?;
    let kafka = Kafka::start(workspace, &folder.join("kafka"))?;
    let brokers = kafka.address();
    events::fill_topic(&brokers, TOPIC, sizes.sales)?;

    // Nobody else makes the topic that the job from topic to topic writes.
    drop(KafkaSender::connect(&events::target(&brokers, RAW_TOPIC))?);

    boundary(folder, &sales, figures)?;
    let input = Input { sales: &sales, part: &part, brokers: &brokers, topic: TOPIC };
    rounds(sizes, workspace, folder, &input, figures)?;
    say("one worker and two");
    scaling::measure(sizes, folder, &sales, figures)?;
    say(&format!("{} swaps of the filter under load", sizes.swaps));
    let mut pauses: Vec<f64> = child::run(&["swap", &text(folder), &sizes.swaps.to_string()])?;
    figures.add("swap.gap_ms_p99", Unit::Millis, quantile(&mut pauses, 0.99));
    figures.add("swap.gap_ms_max", Unit::Millis, quantile(&mut pauses, 1.0));
    say("20,000 sales a second, live");
    let live = live::measure(folder, &brokers, sizes.live)?;
    figures.add("latency.p99_ms", Unit::Millis, live.latency_ms_p99);
    figures.add("idle.cpu_percent", Unit::Percent, live.cpu_percent);
    say("nothing comes");
    idle::measure(folder, &brokers, sizes.live, figures)
}

fn boundary(folder: &Path, sales: &Path, figures: &mut Figures) -> Result<()> {
    say("calls of plugins");
    let pipeline = events::pipeline(&folder.join("boundary"), From::Files(sales))?;
    let measured: Vec<Boundary> = child::run(&["boundary", &text(&pipeline), &text(sales)])?;
    for Boundary { kind, wasm_nanos, native_nanos, ratio } in measured {
        figures.add(format!("boundary.{kind}.ratio"), Unit::Ratio, ratio);
        figures.add(format!("boundary.{kind}.wasm_ns_per_row"), Unit::Nanos, wasm_nanos);
        figures.add(format!("boundary.{kind}.native_ns_per_row"), Unit::Nanos, native_nanos);
    }
    Ok(())
}
