//! `sluicegate produce sales`: events to try pipelines with, to Kafka or to a file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::interrupt;
use crate::produce::kafka::{KafkaSender, KafkaTarget, Pace, Sent};
use crate::produce::ndjson;
use crate::produce::sales::{Delay, Sales, SalesSettings, TimeUnit};
use crate::time::Clock;

/// What kind of events.
#[derive(Clone, Debug, clap::Subcommand)]
#[expect(
    missing_docs,
    reason = "each command is described at its arguments, which is where its help comes from"
)]
pub enum ProduceCommand {
    Sales(SalesArgs),
}

/// Sales of many stores, keyed by store: {"store":"store-7","item":"item-3","price":4.20,"ts":1795258807}.
///
/// One in ten is for a filter: a price of zero or less, or a store that is none. The same seed and settings make the
/// same events; without --start-time that holds for --count, whose event time begins in 2026.
#[derive(Clone, Debug, clap::Args)]
pub struct SalesArgs {
    /// Brokers as host:port, separated by commas
    #[arg(
        long,
        env = "SLUICEGATE_BROKERS",
        default_value = "127.0.0.1:9092",
        help_heading = "Where to"
    )]
    pub brokers: String,
    /// Topic to send to
    #[arg(long, default_value = "sales", help_heading = "Where to")]
    pub topic: String,
    /// Create the topic with so many partitions if it does not exist
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=10_000), help_heading = "Where to")]
    pub partitions: Option<i32>,
    /// Any property of librdkafka (SASL, TLS); may be given several times
    #[arg(long = "property", short = 'X', value_name = "NAME=VALUE", value_parser = property, help_heading = "Where to")]
    pub properties: Vec<(String, String)>,
    /// Write lines to this file instead of sending records; `-` is standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["brokers", "topic", "partitions", "properties", "paced"], help_heading = "Where to")]
    pub out: Option<PathBuf>,

    /// Events per second of event time; without --count also by the clock
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000), help_heading = "How many")]
    pub rate: u64,
    /// So many, as fast as possible, then end
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), help_heading = "How many")]
    pub count: Option<u64>,
    /// With --count: keep to the rate
    #[arg(long, requires = "count", help_heading = "How many")]
    pub paced: bool,

    /// Number of stores
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..), help_heading = "What")]
    pub stores: u32,
    /// Number of items
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..), help_heading = "What")]
    pub items: u32,
    /// Events that are up to this much behind, and how many are: a duration, a share, or both
    #[arg(long, value_name = "DURATION/SHARE", default_value = "2s/20%", value_parser = out_of_order, help_heading = "What")]
    pub out_of_order: Delay,
    /// Events that are this much to twice as much behind, so that their window is closed
    #[arg(long, value_name = "SHARE/DURATION", default_value = "0%/1m", value_parser = late, help_heading = "What")]
    pub late: Delay,
    /// Share of records that cannot be decoded, in several ways: 0.01 or 1%
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = share, help_heading = "What")]
    pub bad: f64,
    /// Same seed and settings, same events
    #[arg(long, default_value_t = 0, help_heading = "What")]
    pub seed: u64,
    /// Event time of the first event, as RFC 3339. Default: now, or 2026-01-01T00:00:00Z with --count
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "What")]
    pub start_time: Option<i64>,
    /// Unit of `ts`
    #[arg(long, value_enum, default_value = "s", help_heading = "What")]
    pub ts_unit: Unit,

    /// Print a summary as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Unit of `ts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Summary {
    events: u64,
    lost: u64,
    seconds: f64,
    events_per_second: f64,
}

/// Makes events until there are enough or Ctrl-C ends it, which is no failure.
///
/// # Errors
/// Nothing could be sent, or events were lost, or the file could not be written.
pub fn run(args: &SalesArgs) -> anyhow::Result<ExitCode> {
    let stop = interrupt::flag()?;
    let clock = Clock::system();
    let count = args.count.unwrap_or(u64::MAX);
    let sales = Sales::new(settings(args, &clock));
    let sales = sales.take(usize::try_from(count).unwrap_or(usize::MAX));
    let bar = progress_bar(args.count);
    let unit = match args.ts_unit {
        Unit::S => TimeUnit::Seconds,
        Unit::Ms => TimeUnit::Millis,
        Unit::Us => TimeUnit::Micros,
    };
    let begin = clock.monotonic();
    let sent = match &args.out {
        Some(path) => {
            let delivered = write_file(path, sales, unit, &stop, &bar)?;
            Sent { delivered, ..Sent::default() }
        }
        None => {
            let target = KafkaTarget {
                brokers: args.brokers.clone(),
                topic: args.topic.clone(),
                partitions: args.partitions,
                properties: args.properties.iter().cloned().collect::<BTreeMap<_, _>>(),
            };
            let rate = (args.count.is_none() || args.paced).then_some(args.rate);
            let pace = Pace { rate, clock: &clock, stop: &stop };
            KafkaSender::connect(&target)?.send(sales, unit, &pace, |made| bar.set_position(made))
        }
    };
    bar.finish_and_clear();
    summarise(args, &sent, clock.monotonic().saturating_sub(begin))?;
    if sent.lost > 0
        || (sent.delivered < count && args.count.is_some() && !stop.load(Ordering::Relaxed))
    {
        let reason = sent.reason.unwrap_or_else(|| "no reason given".to_owned());
        bail!(
            "{} events were not delivered: {reason}",
            count.min(sent.delivered + sent.lost.max(1)) - sent.delivered
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn settings(args: &SalesArgs, clock: &Clock) -> SalesSettings {
    let defaults = SalesSettings::default();
    let begin = if args.count.is_some() && !args.paced {
        defaults.start_micros
    } else {
        clock.wall_micros()
    };
    SalesSettings {
        seed: args.seed,
        stores: args.stores,
        items: args.items,
        start_micros: args.start_time.unwrap_or(begin),
        rate: args.rate,
        out_of_order: args.out_of_order,
        late: args.late,
        bad_share: args.bad,
    }
}

fn write_file(
    path: &Path,
    sales: impl Iterator<Item = crate::produce::sales::Sale>,
    unit: TimeUnit,
    stop: &AtomicBool,
    bar: &ProgressBar,
) -> anyhow::Result<u64> {
    let progress = |made| bar.set_position(made);
    if path == Path::new("-") {
        let written = ndjson::write(sales, unit, &mut io::stdout().lock(), stop, progress);
        return written.context("write to standard output");
    }
    let named = || format!("write `{}`", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(named)?;
    }
    let mut file = File::create(path).with_context(named)?;
    ndjson::write(sales, unit, &mut file, stop, progress).with_context(named)
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

fn summarise(args: &SalesArgs, sent: &Sent, elapsed: Duration) -> anyhow::Result<()> {
    let seconds = elapsed.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let events_per_second = sent.delivered as f64 / seconds.max(1e-9);
    if args.json {
        let summary =
            Summary { events: sent.delivered, lost: sent.lost, seconds, events_per_second };
        let line = serde_json::to_string(&summary).context("write the summary as JSON")?;
        return writeln!(io::stdout(), "{line}").context("write to standard output");
    }
    let place = match &args.out {
        Some(path) => format!("`{}`", path.display()),
        None => format!("topic `{}` at {}", args.topic, args.brokers),
    };
    eprintln!(
        "{} events to {place} in {seconds:.1} s, {events_per_second:.0} a second",
        sent.delivered
    );
    Ok(())
}

fn property(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn time(text: &str) -> Result<i64, String> {
    let time = chrono::DateTime::parse_from_rfc3339(text);
    time.map(|time| time.timestamp_micros())
        .map_err(|_| "write RFC 3339, for example 2026-11-21T00:00:00Z".to_owned())
}

/// `0.01` or `1%`.
fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    let share: f64 = number.trim().parse().map_err(|_| "write a share such as 0.01 or 1%")?;
    let share = share / scale;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("a share lies between 0 and 1 (100%)".to_owned())
    }
}

fn out_of_order(text: &str) -> Result<Delay, String> {
    delay(text, Delay { share: 0.2, by: Duration::from_secs(2) })
}

fn late(text: &str) -> Result<Delay, String> {
    delay(text, Delay { share: 0.01, by: Duration::from_secs(60) })
}

/// A duration, a share, or both in any order with a slash between them; `default` has what is not written.
fn delay(text: &str, default: Delay) -> Result<Delay, String> {
    let mut delay = default;
    for part in text.split('/') {
        match (share(part), crate::config::parse_duration(part)) {
            (Ok(share), _) => delay.share = share,
            (_, Ok(by)) => delay.by = by,
            _ => return Err("write a duration, a share, or both: 5s, 20%, 5s/20%".to_owned()),
        }
    }
    Ok(delay)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{delay, late, out_of_order, share};
    use crate::produce::sales::Delay;

    #[test]
    fn shares_are_fractions_or_percent() {
        assert_eq!(share("0.25"), Ok(0.25));
        assert_eq!(share("25%"), Ok(0.25));
        assert!(share("2").is_err() && share("-1%").is_err() && share("x").is_err());
    }

    #[test]
    fn a_delay_is_a_duration_a_share_or_both_in_any_order() {
        let both = Delay { share: 0.2, by: Duration::from_secs(5) };
        assert_eq!(delay("5s/20%", both), Ok(both));
        assert_eq!(delay("0.2/5s", Delay { share: 1.0, by: Duration::ZERO }), Ok(both));
        assert_eq!(out_of_order("5s"), Ok(both));
        assert_eq!(late("0.1"), Ok(Delay { share: 0.1, by: Duration::from_secs(60) }));
        assert!(delay("5 parsecs", both).is_err());
    }
}
