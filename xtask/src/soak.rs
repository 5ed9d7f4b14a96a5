//! `cargo xtask soak`: three hosts, a real Kafka and a real S3 server under faults drawn from a seed, and a ledger at the
//! end. It is the end-to-end test `soak`, for longer. With `--brokers` it is the one of three brokers that are shaken.

use anyhow::{Context, Result, bail};

use crate::command::{self, BUILD_BINARIES, run};
use crate::workspace::Workspace;
use crate::{plugins, services};

/// A test that it runs, and the variable that says for how many seconds.
const HOSTS: (&str, &str) =
    ("soak::nothing_is_missing_or_doubled_after_faults_of_every_kind", "SLUICEGATE_SOAK_SECONDS");
const BROKERS: (&str, &str) = (
    "three_brokers::both_ways_read_what_was_written_while_brokers_are_shaken",
    "SLUICEGATE_SHAKE_SECONDS",
);

/// The soak as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long faults come, min.
    pub minutes: u64,
    /// Where all faults are drawn from; none: that of the end-to-end test.
    pub seed: Option<u64>,
    /// Three brokers are shaken, and not three hosts.
    pub brokers: bool,
}

impl Options {
    /// Reads the arguments behind `soak`.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { minutes: 10, seed: None, brokers: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut number = || -> Result<u64> {
                let text =
                    arguments.next().with_context(|| format!("`{argument}` needs a number"))?;
                text.parse().with_context(|| format!("`{argument} {text}`: not a whole number"))
            };
            match argument.as_str() {
                "--minutes" => options.minutes = number()?,
                "--seed" => options.seed = Some(number()?),
                "--brokers" => options.brokers = true,
                other => {
                    bail!(
                        "`{other}` is not an option of `cargo xtask soak`; --minutes N, --seed S, --brokers"
                    )
                }
            }
        }
        Ok(options)
    }
}

/// Builds what it needs and runs it. An error if a row is missing or doubled.
pub fn run_for(workspace: &Workspace, options: &Options) -> Result<()> {
    plugins::build(workspace)?;
    services::fetch(workspace)?;
    run(command::cargo().args(BUILD_BINARIES).current_dir(workspace.root()))?;
    let mut cargo = command::cargo();
    let (test, seconds) = if options.brokers { BROKERS } else { HOSTS };
    cargo.args(["test", "--workspace", "--test", "e2e", "--", "--nocapture", "--exact", test]);
    cargo.current_dir(workspace.root());
    cargo.env("SLUICEGATE_BIN", workspace.host_binary("debug"));
    cargo.env(seconds, (options.minutes * 60).to_string());
    if let Some(seed) = options.seed {
        cargo.env("SLUICEGATE_SEED", seed.to_string());
    }
    run(&mut cargo).context("the ledger is above")
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn options_are_taken_or_refused_by_name() {
        let parse = |line: &str| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Options::parse(&arguments).map_err(|error| error.to_string())
        };
        assert_eq!(parse(""), Ok(Options { minutes: 10, seed: None, brokers: false }));
        let all = Options { minutes: 2, seed: Some(7), brokers: true };
        assert_eq!(parse("--seed 7 --minutes 2 --brokers"), Ok(all));
        assert_eq!(parse("--minutes").unwrap_err(), "`--minutes` needs a number");
        assert_eq!(parse("--minutes x").unwrap_err(), "`--minutes x`: not a whole number");
        assert!(parse("--for 2").unwrap_err().starts_with("`--for` is not an option"));
    }
}
