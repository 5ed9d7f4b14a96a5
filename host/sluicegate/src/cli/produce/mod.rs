//! `sluicegate produce`: events to try pipelines with, to Kafka or to a file.

mod args;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::interrupt;
use crate::stderr::say;
use args::{AmountArgs, FlawArgs, TargetArgs, Unit};
use sluicegate_model::time::Clock;
use sluicegate_produce::event::{Event, TimeUnit};
use sluicegate_produce::kafka::{KafkaSender, KafkaTarget, Pace, Sent};
use sluicegate_produce::ndjson;
use sluicegate_produce::nexmark::Nexmark;
use sluicegate_produce::sales::{Sales, SalesSettings};
use sluicegate_produce::stream::StreamSettings;

/// How many milliseconds a record waits for others that travel with it, where the clock sets the pace: a tenth of a second
/// reads as «at once». A batch costs the producer, the broker and each consumer about the same whatever is in it, and the
/// embedded broker, which looks for a batch from the oldest on, the more the more there are.
const PACED_LINGER_MS: &str = "100";

/// What kind of events.
#[derive(Clone, Debug, clap::Subcommand)]
#[expect(
    missing_docs,
    reason = "each command is described at its arguments, which is where its help comes from"
)]
pub enum ProduceCommand {
    Sales(SalesArgs),
    Nexmark(NexmarkArgs),
}

/// Sales of many stores, keyed by store: {"store":"store-7","item":"item-3","price":4.20,"ts":1795258807}.
///
/// One in ten is for a filter: a price of zero or less, or a store that is none. The same seed and settings make the
/// same events; without --start-time that holds for --count, whose event time begins in 2026.
#[derive(Clone, Debug, clap::Args)]
pub struct SalesArgs {
    /// Where to send or write.
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many, how fast.
    #[command(flatten)]
    pub amount: AmountArgs,
    /// Number of stores
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..), help_heading = "What")]
    pub stores: u32,
    /// Number of items
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..), help_heading = "What")]
    pub items: u32,
    /// The flaws of real streams.
    #[command(flatten)]
    pub flaws: FlawArgs,
    /// Unit of `ts`
    #[arg(long, value_enum, default_value = "s", help_heading = "What")]
    pub ts_unit: Unit,
    /// Print a summary as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// An auction house after the NEXMark benchmark, keyed by user: of fifty events one is a person, three are auctions
/// and the rest are bids, {"event":"bid","user":1001,"ts":1767225600123,"bid":{"auction":1003,"price":4.20,…}}.
///
/// The pipelines in deploy/pipelines/nexmark read them. The same seed and settings make the same events; without
/// --start-time that holds for --count, whose event time begins in 2026.
#[derive(Clone, Debug, clap::Args)]
pub struct NexmarkArgs {
    /// Where to send or write.
    #[command(flatten)]
    pub target: TargetArgs,
    /// How many, how fast.
    #[command(flatten)]
    pub amount: AmountArgs,
    /// The flaws of real streams.
    #[command(flatten)]
    pub flaws: FlawArgs,
    /// Unit of `ts`
    #[arg(long, value_enum, default_value = "ms", help_heading = "What")]
    pub ts_unit: Unit,
    /// Print a summary as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Summary {
    events: u64,
    lost: u64,
    seconds: f64,
    events_per_second: f64,
}

/// Makes events until there are enough or Ctrl-C ends it, which is not a failure.
///
/// # Errors
/// Nothing could be sent, or events were lost, or the file could not be written.
pub fn run(command: &ProduceCommand) -> anyhow::Result<ExitCode> {
    let clock = Clock::system();
    match command {
        ProduceCommand::Sales(args) => {
            let SalesArgs { target, amount, stores, items, flaws, ts_unit, json } = args;
            let stream = stream_settings(amount, flaws, &clock);
            let settings = SalesSettings { stream, stores: *stores, items: *items };
            let to =
                Output { topic: "sales", target, amount, unit: (*ts_unit).into(), json: *json };
            to.put(Sales::new(settings), &clock)
        }
        ProduceCommand::Nexmark(args) => {
            let NexmarkArgs { target, amount, flaws, ts_unit, json } = args;
            let stream = stream_settings(amount, flaws, &clock);
            let unit = (*ts_unit).into();
            let to = Output { topic: "nexmark", target, amount, unit, json: *json };
            to.put(Nexmark::new(stream), &clock)
        }
    }
}

fn stream_settings(amount: &AmountArgs, flaws: &FlawArgs, clock: &Clock) -> StreamSettings {
    let begin = amount.start_micros(StreamSettings::default().start_micros, clock);
    StreamSettings {
        seed: flaws.seed,
        start_micros: flaws.start_time.unwrap_or(begin),
        rate: amount.rate,
        out_of_order: flaws.out_of_order,
        late: flaws.late,
        bad_share: flaws.bad,
    }
}

/// Where events go, and how many.
struct Output<'a> {
    /// Unless another one is named.
    topic: &'static str,
    target: &'a TargetArgs,
    amount: &'a AmountArgs,
    unit: TimeUnit,
    json: bool,
}

impl Output<'_> {
    fn put(
        &self,
        events: impl Iterator<Item = impl Event>,
        clock: &Clock,
    ) -> anyhow::Result<ExitCode> {
        let stop = interrupt::flag()?;
        let AmountArgs { rate, count, paced } = *self.amount;
        let wanted = count.unwrap_or(u64::MAX);
        let events = events.take(usize::try_from(wanted).unwrap_or(usize::MAX));
        let bar = progress_bar(count);
        let begin = clock.monotonic();
        let sent = match &self.target.out {
            Some(path) => {
                let delivered = write_file(path, events, self.unit, &stop, &bar)?;
                Sent { delivered, ..Sent::default() }
            }
            None => {
                let rate = (count.is_none() || paced).then_some(rate);
                let pace = Pace { rate, clock, stop: &stop };
                let progress = |made| bar.set_position(made);
                KafkaSender::connect(&self.kafka(rate.is_some()))?
                    .send(events, self.unit, &pace, progress)
            }
        };
        bar.finish_and_clear();
        self.summarise(&sent, clock.monotonic().saturating_sub(begin))?;
        let is_short = sent.delivered < wanted && count.is_some() && !stop.load(Ordering::Relaxed);
        if sent.lost > 0 || is_short {
            let reason = sent.reason.unwrap_or_else(|| "no reason given".to_owned());
            bail!(
                "{} events were not delivered: {reason}",
                wanted.min(sent.delivered + sent.lost.max(1)) - sent.delivered
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    fn kafka(&self, is_paced: bool) -> KafkaTarget {
        let mut properties: BTreeMap<_, _> = self.target.properties.iter().cloned().collect();
        if is_paced {
            let linger = properties.entry("linger.ms".to_owned());
            linger.or_insert_with(|| PACED_LINGER_MS.to_owned());
        }
        KafkaTarget {
            brokers: self.target.brokers.clone(),
            topic: self.topic().to_owned(),
            partitions: self.target.partitions,
            properties,
        }
    }

    fn topic(&self) -> &str {
        self.target.topic.as_deref().unwrap_or(self.topic)
    }

    fn summarise(&self, sent: &Sent, elapsed: Duration) -> anyhow::Result<()> {
        let seconds = elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let events_per_second = sent.delivered as f64 / seconds.max(1e-9);
        if self.json {
            let summary =
                Summary { events: sent.delivered, lost: sent.lost, seconds, events_per_second };
            let line = serde_json::to_string(&summary).context("write the summary as JSON")?;
            return writeln!(io::stdout(), "{line}").context("write to standard output");
        }
        let place = match &self.target.out {
            Some(path) => format!("`{}`", path.display()),
            None => format!("topic `{}` at {}", self.topic(), self.target.brokers),
        };
        let events = sent.delivered;
        say(format_args!(
            "{events} events to {place} in {seconds:.1} s, {events_per_second:.0} a second"
        ));
        Ok(())
    }
}

fn write_file(
    path: &Path,
    events: impl Iterator<Item = impl Event>,
    unit: TimeUnit,
    stop: &AtomicBool,
    bar: &ProgressBar,
) -> anyhow::Result<u64> {
    let progress = |made| bar.set_position(made);
    if path == Path::new("-") {
        let written = ndjson::write(events, unit, &mut io::stdout().lock(), stop, progress);
        return written.context("write to standard output");
    }
    let named = || format!("write `{}`", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(named)?;
    }
    let mut file = File::create(path).with_context(named)?;
    ndjson::write(events, unit, &mut file, stop, progress).with_context(named)
}

/// On standard error, if that is a terminal.
fn progress_bar(count: Option<u64>) -> ProgressBar {
    let (bar, template) = match count {
        Some(count) => (
            ProgressBar::new(count),
            "{bar:30} {human_pos} of {human_len} events, {per_sec}, {eta} left",
        ),
        None => {
            (ProgressBar::new_spinner(), "{spinner} {human_pos} events, {per_sec}, Ctrl-C to end")
        }
    };
    let style = ProgressStyle::with_template(template).expect("the template is one of indicatif's");
    bar.with_style(style)
}
