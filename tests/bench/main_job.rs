//! The main job: which runs there are, in which order, and which figures they make.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use xtask::services::{self, Kafka};
use xtask::workspace::Workspace;

use crate::boundary::Boundary;
use crate::child;
use crate::events::{self, From};
use crate::job::Job;
use crate::plan::{Sizes, say, text};
use crate::references::Reference;
use crate::report::{Figures, Unit, median, quantile};
use crate::{idle, live, scaling};

const TOPIC: &str = "sales";

/// The job from files is run over this part of the sales, too: what it costs before the first record and behind the last
/// is told apart from what a record costs.
const PART: usize = 4;

/// What every round measures, in turns.
struct Round {
    arrow_json: Reference,
    files: Job,
    /// Over the first of [`PART`] equal parts of the sales.
    files_part: Job,
    native: Job,
    drain: Reference,
    kafka: Job,
    direct: Job,
}

/// The job against its references, calls of plugins, swaps, latency.
pub(crate) fn measure(
    sizes: &Sizes,
    workspace: &Workspace,
    folder: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let sales = folder.join("sales");
    say(&format!("{} sales to files and to Apache Kafka", sizes.sales));
    events::write_sales(&sales, events::sales(sizes.sales))?;
    events::write_sales(&part_of(&sales), events::sales(sizes.sales / PART))?;
    services::kafka::fetch(workspace)?;
    let kafka = Kafka::start(workspace, &folder.join("kafka"))?;
    let brokers = kafka.address();
    events::fill_topic(&brokers, TOPIC, sizes.sales)?;

    boundary(folder, &sales, figures)?;
    rounds(sizes, folder, &brokers, figures)?;
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

/// Where the part of the sales lies.
fn part_of(sales: &Path) -> PathBuf {
    sales.with_extension("part")
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

fn rounds(sizes: &Sizes, folder: &Path, brokers: &str, figures: &mut Figures) -> Result<()> {
    let mut rounds = Vec::with_capacity(sizes.rounds);
    // The first fills the caches of pages and of compiled plugins, and is forgotten.
    for number in 0..=sizes.rounds {
        let round = round(sizes, folder, brokers, number)?;
        say(&format!(
            "round {number} of {}: ns per record: arrow-json {:.0}, files {:.0} (native {:.0}), drain {:.0}, kafka {:.0} (direct {:.0})",
            sizes.rounds,
            per_record(round.arrow_json.cpu_nanos, sizes),
            per_record(round.files.cpu_nanos, sizes),
            per_record(round.native.cpu_nanos, sizes),
            per_record(round.drain.cpu_nanos, sizes),
            per_record(round.kafka.cpu_nanos, sizes),
            per_record(round.direct.cpu_nanos, sizes),
        ));
        if number > 0 {
            rounds.push(round);
        }
    }
    let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of));
    let ratio = |above: u64, below: u64| above as f64 / below as f64;
    let mut job =
        |name: &str, of: &dyn Fn(&Round) -> &Job, reference: (&str, &dyn Fn(&Round) -> u64)| {
            let cost = middle(&|round| per_record(of(round).cpu_nanos, sizes));
            figures.add(format!("{name}.cpu_ns_per_record"), Unit::Nanos, cost);
            let below = reference.1;
            let compared = middle(&|round| ratio(of(round).cpu_nanos, below(round)));
            figures.add(format!("{name}.ratio_to_{}", reference.0), Unit::Ratio, compared);
            let cost = middle(&|round| per_record(below(round), sizes));
            figures.add(format!("{name}.{}_ns_per_record", reference.0), Unit::Nanos, cost);
            for (step, share) in shares(&rounds.iter().map(of).collect::<Vec<_>>()) {
                figures.add(format!("{name}.share_percent.{step}"), Unit::Percent, share);
            }
        };
    job("files", &|round| &round.files, ("arrow_json", &|round| round.arrow_json.cpu_nanos));
    job("kafka", &|round| &round.kafka, ("drain", &|round| round.drain.cpu_nanos));
    job("kafka.direct", &|round| &round.direct, ("drain", &|round| round.drain.cpu_nanos));
    let slope = |round: &Round| Line::through(round, sizes).slope;
    figures.add("files.slope_ns_per_record", Unit::Nanos, middle(&slope));
    let compared = |round: &Round| slope(round) / per_record(round.arrow_json.cpu_nanos, sizes);
    figures.add("files.slope_ratio_to_arrow_json", Unit::Ratio, middle(&compared));
    let fixed = |round: &Round| Line::through(round, sizes).fixed / 1e6;
    figures.add("files.fixed_ms", Unit::Millis, middle(&fixed));
    let tax = |round: &Round| (ratio(round.files.cpu_nanos, round.native.cpu_nanos) - 1.0) * 100.0;
    figures.add("wasm_tax_percent", Unit::Percent, middle(&tax));
    Ok(())
}

/// CPU time by records: what the job costs without any, ns, and what each costs, ns.
struct Line {
    fixed: f64,
    slope: f64,
}

impl Line {
    fn through(round: &Round, sizes: &Sizes) -> Self {
        let part = sizes.sales / PART;
        let (all_nanos, part_nanos) =
            (round.files.cpu_nanos as f64, round.files_part.cpu_nanos as f64);
        let slope = (all_nanos - part_nanos) / (sizes.sales - part) as f64;
        Self { fixed: part_nanos - slope * part as f64, slope }
    }
}

fn round(sizes: &Sizes, folder: &Path, brokers: &str, number: usize) -> Result<Round> {
    let sales = folder.join("sales");
    let part = part_of(&sales);
    let run_over = |count: usize, role: &[&str], from| -> Result<Job> {
        let pipeline = text(&events::pipeline(&folder.join("job"), from)?);
        let job: Job = child::run(&[&["job", &pipeline], role].concat())?;
        ensure!(job.read == count as u64, "the job read {} of {count} sales", job.read);
        Ok(job)
    };
    let run = |role: &[&str], from| run_over(sizes.sales, role, from);
    let arrow_json: Reference = child::run(&["arrow-json", &text(&sales)])?;
    // Who goes first finds the caches as others left them: they take turns at that too.
    let (files, native) = if number.is_multiple_of(2) {
        let files = run(&[], From::Files(&sales))?;
        (files, run(&["native"], From::Files(&sales))?)
    } else {
        let native = run(&["native"], From::Files(&sales))?;
        (run(&[], From::Files(&sales))?, native)
    };
    let files_part = run_over(sizes.sales / PART, &[], From::Files(&part))?;
    let drain: Reference = child::run(&["drain", brokers, TOPIC, &sizes.sales.to_string()])?;
    let kafka = run(&[], From::Topic { brokers, topic: TOPIC, fetch: "librdkafka" })?;
    let direct = run(&[], From::Topic { brokers, topic: TOPIC, fetch: "direct" })?;
    ensure!(drain.records == sizes.sales as u64, "{} records were drained", drain.records);
    ensure!(arrow_json.records == sizes.sales as u64, "{} rows decoded", arrow_json.records);
    ensure!(
        [&native, &kafka, &direct].iter().all(|job| job.accepted == files.accepted),
        "the jobs do not agree: {} {} {} {}",
        files.accepted,
        native.accepted,
        kafka.accepted,
        direct.accepted
    );
    Ok(Round { arrow_json, files, files_part, native, drain, kafka, direct })
}

/// The part of each step in the job's CPU time, and of what is no step: the source's own threads, start-up, commits,
/// waking and joining workers.
fn shares(jobs: &[&Job]) -> Vec<(String, f64)> {
    let Some(first) = jobs.first() else { return Vec::new() };
    let percent = |nanos: u64, job: &Job| nanos as f64 / job.cpu_nanos as f64 * 100.0;
    let mut shares: Vec<(String, f64)> = (0..first.steps.len())
        .map(|step| {
            let share = median(jobs.iter().map(|job| percent(job.steps[step].1, job)));
            (first.steps[step].0.clone(), share)
        })
        .collect();
    let rest = 100.0 - shares.iter().map(|(_, share)| share).sum::<f64>();
    shares.push(("other_threads".to_owned(), rest));
    shares
}

fn per_record(nanos: u64, sizes: &Sizes) -> f64 {
    nanos as f64 / sizes.sales as f64
}
