//! What all kinds of events have in common on the command line: where to, how many, how far behind.

use std::path::PathBuf;
use std::time::Duration;

use sluicegate_model::time::Clock;
use sluicegate_produce::chance::Delay;
use sluicegate_produce::event::TimeUnit;

/// Where to send or write.
#[derive(Clone, Debug, clap::Args)]
pub struct TargetArgs {
    /// Brokers as host:port, separated by commas
    #[arg(
        long,
        env = "SLUICEGATE_BROKERS",
        default_value = "127.0.0.1:9092",
        help_heading = "Where to"
    )]
    pub brokers: String,
    /// Topic to send to. Default: the name of the kind of events
    #[arg(long, help_heading = "Where to")]
    pub topic: Option<String>,
    /// Create the topic with so many partitions if it does not exist
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=10_000), help_heading = "Where to")]
    pub partitions: Option<i32>,
    /// Any property of librdkafka (SASL, TLS); may be given several times
    #[arg(long = "property", short = 'X', value_name = "NAME=VALUE", value_parser = property, help_heading = "Where to")]
    pub properties: Vec<(String, String)>,
    /// Write lines to this file instead of sending records; `-` is standard output
    #[arg(long, value_name = "FILE", conflicts_with_all = ["brokers", "topic", "partitions", "properties", "paced"], help_heading = "Where to")]
    pub out: Option<PathBuf>,
}

/// How many events, how fast.
#[derive(Clone, Debug, clap::Args)]
pub struct AmountArgs {
    /// Events per second of event time; without --count also by the clock
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000), help_heading = "How many")]
    pub rate: u64,
    /// So many, as fast as possible, then end
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), help_heading = "How many")]
    pub count: Option<u64>,
    /// With --count: keep to the rate
    #[arg(long, requires = "count", help_heading = "How many")]
    pub paced: bool,
}

impl AmountArgs {
    /// Event time of the first event, if none is given: `of_a_count` for a run that is to be the same every time.
    pub(super) fn start_micros(&self, of_a_count: i64, clock: &Clock) -> i64 {
        if self.count.is_some() && !self.paced { of_a_count } else { clock.wall_micros() }
    }
}

/// The flaws of real streams.
#[derive(Clone, Debug, clap::Args)]
pub struct FlawArgs {
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

impl From<Unit> for TimeUnit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::S => Self::Seconds,
            Unit::Ms => Self::Millis,
            Unit::Us => Self::Micros,
        }
    }
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
        match (share(part), sluicegate_pipeline::parse_duration(part)) {
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
    use sluicegate_produce::chance::Delay;

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
