//! `cargo xtask bench`: builds the plugins and the benchmark, which is `tests/bench`, and runs it.

use anyhow::{Context, Result, bail};

use crate::command::{self, run};
use crate::workspace::Workspace;
use crate::{plugins, services};

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The main job against its references, calls of plugins, swaps, latency.
    Main,
    /// The main job over records of several sizes, and over several numbers of keys.
    Sizes,
    /// Kinds of windows and a process plugin against tumbling windows.
    Windows,
    /// The groups of a large window: memory, checkpoints, openings, firing.
    State,
    /// The queries of NEXMark.
    Nexmark,
}

impl Part {
    /// In the order in which they are measured, by name.
    const ALL: [(&str, Self); 5] = [
        ("main", Self::Main),
        ("sizes", Self::Sizes),
        ("windows", Self::Windows),
        ("state", Self::State),
        ("nexmark", Self::Nexmark),
    ];
}

/// The benchmark as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Fewer records and rounds: three minutes on a quiet machine.
    pub quick: bool,
    /// Write the figures by name into this file.
    pub json: Option<String>,
    /// Only these; none for all.
    pub parts: Vec<Part>,
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
                other => match Part::ALL.iter().find(|(name, _)| *name == other) {
                    Some((_, part)) => options.parts.push(*part),
                    None => bail!(
                        "`{other}` is not an option of `cargo xtask bench`; --quick, --json FILE, main, sizes, windows, state, nexmark"
                    ),
                },
            }
        }
        Ok(options)
    }

    /// Whether a part was asked for.
    pub fn measures(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

/// Builds what it needs and measures. The figures come on standard output.
pub fn run_all(workspace: &Workspace, options: &Options) -> Result<()> {
    plugins::build(workspace)?;
    if options.measures(Part::Main) {
        services::kafka::fetch(workspace)?;
    }
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
    let asked_for = Part::ALL.iter().filter(|(_, part)| options.parts.contains(part));
    cargo.args(asked_for.map(|(name, _)| name));
    run(cargo.current_dir(workspace.root()))
}

#[cfg(test)]
mod tests {
    use super::{Options, Part};

    #[test]
    fn options_are_taken_or_refused_by_name() {
        let parse = |line: &str| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Options::parse(&arguments).map_err(|error| error.to_string())
        };
        let parts = vec![Part::Nexmark, Part::Windows];
        let some = Options { quick: true, json: Some("figures.json".to_owned()), parts };
        assert!(some.measures(Part::Windows) && !some.measures(Part::Main));
        assert_eq!(parse("--quick nexmark --json figures.json windows"), Ok(some));
        assert!(parse("").expect("no option is needed").measures(Part::Main));
        assert_eq!(parse("--json").unwrap_err(), "`--json` needs a file");
        assert!(parse("--fast").unwrap_err().starts_with("`--fast` is not an option"));
    }
}
