//! `cargo xtask bench`: builds the plugins and the benchmark, which is `tests/bench`, and runs it.

use anyhow::{Context, Result, bail};

use crate::command::{self, run};
use crate::workspace::Workspace;
use crate::{plugins, services};

/// The benchmark as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Fewer sales and rounds: two minutes on a quiet machine.
    pub quick: bool,
    /// Write the figures by name into this file.
    pub json: Option<String>,
}

impl Options {
    /// Reads the arguments behind `bench`.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--json" => {
                    options.json = Some(arguments.next().context("`--json` needs a file")?.clone());
                }
                other => {
                    bail!("`{other}` is no option of `cargo xtask bench`; --quick, --json FILE")
                }
            }
        }
        Ok(options)
    }
}

/// Builds what it needs and measures. The figures come on standard output.
pub fn run_all(workspace: &Workspace, options: &Options) -> Result<()> {
    plugins::build(workspace)?;
    services::kafka::fetch(workspace)?;
    let mut cargo = command::cargo();
    cargo.args(["bench", "--package", "e2e", "--bench", "figures", "--"]);
    if options.quick {
        cargo.arg("--quick");
    }
    if let Some(file) = &options.json {
        // The benchmark runs in another folder than we do.
        let file = std::path::absolute(file).context("find the file of `--json`")?;
        cargo.arg("--json").arg(file);
    }
    run(cargo.current_dir(workspace.root()))
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
        let all = Options { quick: true, json: Some("figures.json".to_owned()) };
        assert_eq!(parse("--quick --json figures.json"), Ok(all));
        assert_eq!(parse("--json").unwrap_err(), "`--json` needs a file");
        assert!(parse("--fast").unwrap_err().starts_with("`--fast` is no option"));
    }
}
