//! Pipelines that copy one amount of one file to a table, and commands that meet them one after the other in a folder.

use super::host::{ended, sluicegate};
use super::place::Place;

/// What such a pipeline may have otherwise than the one before it.
#[derive(Clone, Copy, Debug)]
pub struct Copying<'p> {
    pub name: &'p str,
    /// The type of `amount`.
    pub kind: &'p str,
    /// Of the table: `parquet` or `delta`.
    pub format: &'p str,
    /// Where the table lies, beside the pipeline file.
    pub out: &'p str,
    /// Where the chain lies, beside it as well.
    pub chain: &'p str,
}

impl Copying<'_> {
    /// Reads the folder `in`.
    pub fn text(self) -> String {
        let Self { name, kind, format, out, chain } = self;
        format!(
            r#"
name = "{name}"
[source]
type = "files"
[source.files]
path = "in"
[schema]
amount = "{kind}"
ts = "timestamp(s)"
[event_time]
column = "ts"
max_out_of_orderness = "0s"
[[sinks]]
id = "rows"
type = "{format}"
path = "{out}"
[checkpoint]
path = "{chain}"
"#
        )
    }
}

/// What a command has said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    /// Standard error, then standard output.
    pub text: String,
}

/// A folder with one file of one amount.
pub struct Amounts(pub Place);

impl Amounts {
    pub fn new() -> Self {
        Self::at(Place::local())
    }

    /// For pipelines whose tables lie at a place.
    pub fn at(place: Place) -> Self {
        let input = place.folder.path().join("in");
        std::fs::create_dir(&input).unwrap();
        std::fs::write(input.join("a.json"), "{\"amount\":5,\"ts\":1795258800}\n").unwrap();
        Self(place)
    }

    /// Runs a command with a pipeline file of this text.
    pub fn run(&self, arguments: &[&str], text: &str) -> Said {
        std::fs::write(self.0.folder.path().join("pipeline.toml"), text).unwrap();
        let output = ended(sluicegate(&self.0).args(arguments).arg("pipeline.toml"));
        let text =
            String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
        Said { code: output.status.code(), text }
    }

    /// Runs a command that does what it is to do. What it says.
    #[track_caller]
    pub fn done(&self, arguments: &[&str], pipeline: Copying<'_>) -> String {
        let said = self.run(arguments, &pipeline.text());
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        said.text
    }

    /// Runs a command that does not do it.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str], pipeline: Copying<'_>) -> Said {
        let said = self.run(arguments, &pipeline.text());
        assert!(matches!(said.code, Some(1 | 2)), "{arguments:?}: {said:?}");
        said
    }
}
