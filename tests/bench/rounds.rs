//! The rounds of the main job: in each of them the job and its references run one behind the other.

use std::path::Path;

use anyhow::{Result, ensure};
use xtask::workspace::Workspace;

use crate::child;
use crate::events::{self, From, TUMBLING};
use crate::job::Job;
use crate::plan::{Sizes, say, text};
use crate::references::{Reference, duckdb};
use crate::report::{Figures, Unit, median};

/// What the job from topic to topic writes.
pub(crate) const RAW_TOPIC: &str = "raw-sales";

/// The job from files is run over this part of the sales, too: what it costs before the first record and behind the last
/// is told apart from what a record costs.
pub(crate) const PART: usize = 4;

/// Where the sales are.
pub(crate) struct Input<'a> {
    /// All of them as files.
    pub(crate) sales: &'a Path,
    /// The first of [`PART`] equal parts of them as files.
    pub(crate) part: &'a Path,
    pub(crate) brokers: &'a str,
    /// All of them, lz4.
    pub(crate) topic: &'a str,
}

/// What every round measures.
struct Round {
    arrow_json: Reference,
    /// None where it is not installed.
    duckdb: Option<Reference>,
    files: OfTwoSizes,
    native: OfTwoSizes,
    drain: Reference,
    drain_direct: Reference,
    kafka: Job,
    direct: Job,
    /// The valid sales as they are, by direct fetch: to Parquet, and to another topic.
    raw_parquet: Job,
    raw_topic: Job,
}

/// A job over all sales, and over a part of them.
struct OfTwoSizes {
    all: Job,
    part: Job,
}

impl OfTwoSizes {
    fn line(&self, sizes: &Sizes) -> Line {
        let part = sizes.sales / PART;
        let (all_nanos, part_nanos) = (self.all.cpu_nanos as f64, self.part.cpu_nanos as f64);
        let slope = (all_nanos - part_nanos) / (sizes.sales - part) as f64;
        Line { fixed: part_nanos - slope * part as f64, slope }
    }
}

/// CPU time by records: what the job costs without any, ns, and what each costs, ns.
struct Line {
    fixed: f64,
    slope: f64,
}

/// Runs them and adds the medians.
pub(crate) fn rounds(
    sizes: &Sizes,
    workspace: &Workspace,
    folder: &Path,
    input: &Input<'_>,
    figures: &mut Figures,
) -> Result<()> {
    let mut rounds = Vec::with_capacity(sizes.rounds);
    // The first fills the caches of pages and of compiled plugins, and is forgotten.
    for number in 0..=sizes.rounds {
        let round = Runs { sizes, folder, input }.round(workspace, number)?;
        say(&format!("round {number} of {}: ns per record: {}", sizes.rounds, round.costs(sizes)));
        if number > 0 {
            rounds.push(round);
        }
    }
    Measured { sizes, rounds: &rounds }.add_to(figures);
    Ok(())
}

impl Round {
    fn costs(&self, sizes: &Sizes) -> String {
        let costs = [
            ("arrow-json", self.arrow_json.cpu_nanos),
            ("DuckDB", self.duckdb.as_ref().map_or(0, |it| it.cpu_nanos)),
            ("files", self.files.all.cpu_nanos),
            ("native", self.native.all.cpu_nanos),
            ("drain", self.drain.cpu_nanos),
            ("direct drain", self.drain_direct.cpu_nanos),
            ("kafka", self.kafka.cpu_nanos),
            ("direct", self.direct.cpu_nanos),
            ("raw to Parquet", self.raw_parquet.cpu_nanos),
            ("raw to a topic", self.raw_topic.cpu_nanos),
        ];
        let shown = |(name, nanos)| format!("{name} {:.0}", per_record(nanos, sizes));
        costs.map(shown).join(", ")
    }
}

/// Picks a job of a round.
type JobOf<'f> = &'f dyn Fn(&Round) -> &Job;

/// All rounds but the first.
struct Measured<'r> {
    sizes: &'r Sizes,
    rounds: &'r [Round],
}

impl Measured<'_> {
    fn add_to(&self, figures: &mut Figures) {
        self.add_job(figures, "files", &|round| &round.files.all);
        self.add_ratio(figures, "files", "arrow_json", &|round| {
            (round.files.all.cpu_nanos, round.arrow_json.cpu_nanos)
        });
        if self.rounds.iter().all(|round| round.duckdb.is_some()) {
            self.add_ratio(figures, "files", "duckdb", &|round| {
                (round.files.all.cpu_nanos, round.duckdb.as_ref().map_or(0, |it| it.cpu_nanos))
            });
        }
        let against_drain: [(&str, JobOf<'_>); 4] = [
            ("kafka", &|round| &round.kafka),
            ("kafka.direct", &|round| &round.direct),
            ("raw.parquet", &|round| &round.raw_parquet),
            ("raw.topic", &|round| &round.raw_topic),
        ];
        for (name, of) in against_drain {
            self.add_job(figures, name, of);
            self.add_ratio(figures, name, "drain", &|round| {
                (of(round).cpu_nanos, round.drain.cpu_nanos)
            });
        }
        self.add_ratio(figures, "kafka.direct", "drain_of_direct", &|round| {
            (round.direct.cpu_nanos, round.drain_direct.cpu_nanos)
        });
        self.add_slopes(figures);
    }

    fn middle(&self, of: &dyn Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }

    /// What it costs, and which part of it each step has.
    fn add_job(&self, figures: &mut Figures, name: &str, of: JobOf<'_>) {
        let cost = self.middle(&|round| per_record(of(round).cpu_nanos, self.sizes));
        figures.add(format!("{name}.cpu_ns_per_record"), Unit::Nanos, cost);
        for (step, share) in shares(&self.rounds.iter().map(of).collect::<Vec<_>>()) {
            figures.add(format!("{name}.share_percent.{step}"), Unit::Percent, share);
        }
    }

    /// Of two costs, and the second of them.
    fn add_ratio(
        &self,
        figures: &mut Figures,
        name: &str,
        reference: &str,
        of: &dyn Fn(&Round) -> (u64, u64),
    ) {
        let compared = self.middle(&|round| ratio(of(round)));
        figures.add(format!("{name}.ratio_to_{reference}"), Unit::Ratio, compared);
        let cost = self.middle(&|round| per_record(of(round).1, self.sizes));
        figures.add(format!("{name}.{reference}_ns_per_record"), Unit::Nanos, cost);
    }

    fn add_slopes(&self, figures: &mut Figures) {
        let slope = |round: &Round| round.files.line(self.sizes).slope;
        figures.add("files.slope_ns_per_record", Unit::Nanos, self.middle(&slope));
        let compared =
            |round: &Round| slope(round) / per_record(round.arrow_json.cpu_nanos, self.sizes);
        figures.add("files.slope_ratio_to_arrow_json", Unit::Ratio, self.middle(&compared));
        let fixed = |round: &Round| round.files.line(self.sizes).fixed / 1e6;
        figures.add("files.fixed_ms", Unit::Millis, self.middle(&fixed));
        let tax = |above: f64, below: f64| (above / below - 1.0) * 100.0;
        let whole = |round: &Round| {
            tax(round.files.all.cpu_nanos as f64, round.native.all.cpu_nanos as f64)
        };
        figures.add("wasm_tax_percent", Unit::Percent, self.middle(&whole));
        let of_slopes = |round: &Round| tax(slope(round), round.native.line(self.sizes).slope);
        figures.add("wasm_tax_percent.of_slopes", Unit::Percent, self.middle(&of_slopes));
    }
}

/// Everything that a round runs.
struct Runs<'r> {
    sizes: &'r Sizes,
    folder: &'r Path,
    input: &'r Input<'r>,
}

impl Runs<'_> {
    fn round(&self, workspace: &Workspace, number: usize) -> Result<Round> {
        let Self { sizes, folder, input: Input { sales, brokers, topic, .. } } = *self;
        let count = sizes.sales.to_string();
        let arrow_json = child::run(&["arrow-json", &text(sales)])?;
        let duckdb = duckdb(workspace, sales, &folder.join("duckdb.parquet"))?;
        // Who goes first finds the caches as others left them: they take turns at that too.
        let (files, native) = if number.is_multiple_of(2) {
            let files = self.over_files(&[])?;
            (files, self.over_files(&["native"])?)
        } else {
            let native = self.over_files(&["native"])?;
            (self.over_files(&[])?, native)
        };
        let drain = child::run(&["drain", brokers, topic, &count])?;
        let drain_direct = child::run(&["drain-direct", brokers, topic, &count])?;
        let from = |fetch| From::Topic { brokers, topic, fetch };
        let job = |pipeline| self.job(sizes.sales, &[], pipeline);
        let kafka = job(events::sales_pipeline(from("librdkafka"), TUMBLING))?;
        let direct = job(events::sales_pipeline(from("direct"), TUMBLING))?;
        let raw_parquet = job(events::raw_pipeline(from("direct"), events::TO_PARQUET))?;
        let to_topic = events::to_topic(brokers, RAW_TOPIC);
        let raw_topic = job(events::raw_pipeline(from("direct"), &to_topic))?;
        let round = Round {
            arrow_json,
            duckdb,
            files,
            native,
            drain,
            drain_direct,
            kafka,
            direct,
            raw_parquet,
            raw_topic,
        };
        round.check(sizes)?;
        Ok(round)
    }

    fn over_files(&self, role: &[&str]) -> Result<OfTwoSizes> {
        let Input { sales, part, .. } = *self.input;
        let over = |count, from| {
            self.job(count, role, events::sales_pipeline(From::Files(from), TUMBLING))
        };
        let all = over(self.sizes.sales, sales)?;
        Ok(OfTwoSizes { all, part: over(self.sizes.sales / PART, part)? })
    }

    fn job(&self, count: usize, role: &[&str], pipeline: String) -> Result<Job> {
        let path = text(&events::write_pipeline(&self.folder.join("job"), &pipeline)?);
        let job: Job = child::run(&[&["job", &path], role].concat())?;
        ensure!(job.read == count as u64, "the job read {} of {count} sales", job.read);
        Ok(job)
    }
}

impl Round {
    /// All have read the same, and found the same sales valid.
    fn check(&self, sizes: &Sizes) -> Result<()> {
        for reference in [&self.arrow_json, &self.drain, &self.drain_direct] {
            let records = reference.records;
            ensure!(records == sizes.sales as u64, "a reference read {records} sales");
        }
        let jobs =
            [&self.native.all, &self.kafka, &self.direct, &self.raw_parquet, &self.raw_topic];
        let accepted = jobs.iter().map(|job| job.accepted);
        let valid = accepted.chain(self.duckdb.iter().map(|it| it.records));
        let found: Vec<u64> = valid.collect();
        let expected = self.files.all.accepted;
        ensure!(
            found.iter().all(|valid| *valid == expected),
            "the job accepted {expected} sales, and the others {found:?}"
        );
        Ok(())
    }
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

fn ratio((above, below): (u64, u64)) -> f64 {
    above as f64 / below as f64
}
