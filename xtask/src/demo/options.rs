//! What the command line of the demo says.

use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The demo as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long it runs; none: until Ctrl-C.
    pub run_for: Option<Duration>,
    /// Sales per second.
    pub rate: u32,
    /// Which broker the sales go through.
    pub broker: BrokerChoice,
    /// Build the host optimised to the last: for rates beyond what a screen shows.
    pub release: bool,
}

/// Which broker the sales go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerChoice {
    /// `sluicegate broker`: nothing to install.
    Embedded,
    /// The Apache Kafka of the tests.
    Kafka,
    /// One that runs already, `host:port`.
    Yours(String),
}

impl Options {
    /// A screen can be read at this rate, and the embedded broker holds minutes of it.
    const RATE: u32 = 2_000;

    /// Reads the arguments behind `demo`.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            run_for: None,
            rate: Self::RATE,
            broker: BrokerChoice::Embedded,
            release: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--for" => options.run_for = Some(duration(value()?)?),
                "--rate" => options.rate = rate(value()?)?,
                "--brokers" => options.choose(BrokerChoice::Yours(value()?.clone()))?,
                "--kafka" => options.choose(BrokerChoice::Kafka)?,
                "--release" => options.release = true,
                other => bail!(
                    "`{other}` is not an option of `cargo xtask demo`; --for 30s, --rate N, --brokers HOST:PORT, \
                     --kafka, --release"
                ),
            }
        }
        Ok(options)
    }

    fn choose(&mut self, broker: BrokerChoice) -> Result<()> {
        if self.broker != BrokerChoice::Embedded {
            bail!(
                "`--brokers` and `--kafka` exclude each other: one names your broker, the other starts one"
            );
        }
        self.broker = broker;
        Ok(())
    }
}

fn rate(text: &str) -> Result<u32> {
    match text.parse() {
        Ok(rate @ 1..=1_000_000) => Ok(rate),
        _ => bail!("`--rate {text}` is not a rate; sales per second, 1 to 1000000"),
    }
}

/// `30s` or `2m`.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        _ => 0,
    };
    match number.parse::<u64>() {
        Ok(number @ 1..=1_000_000) if seconds > 0 => Ok(Duration::from_secs(number * seconds)),
        _ => bail!("`--for {text}` is not a duration; write `30s` or `2m`"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BrokerChoice, Options};

    fn parse(line: &str) -> Result<Options, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn without_options_it_runs_until_ctrl_c_on_the_embedded_broker() {
        let options = parse("").unwrap();
        assert_eq!(options.run_for, None);
        assert_eq!(options.broker, BrokerChoice::Embedded);
        // The build of the tests is the build of the demo.
        assert!(!options.release && parse("--release").unwrap().release);
    }

    #[test]
    fn options_are_taken() {
        let options = parse("--for 2m --rate 500 --brokers 127.0.0.1:9092").unwrap();
        assert_eq!(options.run_for, Some(Duration::from_secs(120)));
        assert_eq!(options.rate, 500);
        assert_eq!(options.broker, BrokerChoice::Yours("127.0.0.1:9092".to_owned()));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        assert_eq!(
            parse("--for 30").unwrap_err(),
            "`--for 30` is not a duration; write `30s` or `2m`"
        );
        assert_eq!(
            parse("--rate 0").unwrap_err(),
            "`--rate 0` is not a rate; sales per second, 1 to 1000000"
        );
        assert_eq!(parse("--for").unwrap_err(), "`--for` needs a value");
        assert!(parse("--kafka --brokers a:1").is_err());
        assert!(parse("--quick").unwrap_err().starts_with("`--quick` is not an option"));
    }
}
