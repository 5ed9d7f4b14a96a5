//! What the command line of `cargo xtask compose` says.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::demo::duration;

/// The check as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long sales flow before the plugin is exchanged.
    pub flow_for: Duration,
    /// Kill host, Kafka and store meanwhile, one after another.
    pub kill: bool,
    /// Build the image first. Otherwise it must be there.
    pub build: bool,
    /// Leave it running.
    pub keep: bool,
}

impl Options {
    /// Reads the arguments behind `compose`.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options =
            Self { flow_for: Duration::from_secs(60), kill: false, build: true, keep: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--for" => {
                    options.flow_for =
                        duration(arguments.next().context("`--for` needs a value")?)?;
                }
                "--kill" => options.kill = true,
                "--no-build" => options.build = false,
                "--keep" => options.keep = true,
                other => bail!(
                    "`{other}` is not an option of `cargo xtask compose`; --for 60s, --kill, --no-build, --keep"
                ),
            }
        }
        Ok(options)
    }
}
