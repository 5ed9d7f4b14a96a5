//! A column keeps its type in the folder of a table, whoever wrote there before and however the pipeline names the folder.

use std::path::Path;

use crate::harness::host::{ended, sluicegate};
use crate::harness::place::Place;
use crate::harness::services;

const PIPELINE: &str = r#"
name = "NAME"
[source]
type = "files"
[source.files]
path = "in"
[schema]
amount = "TYPE"
ts = "timestamp(s)"
[event_time]
column = "ts"
max_out_of_orderness = "0s"
[[sinks]]
id = "rows"
type = "parquet"
path = "OUT"
[checkpoint]
path = "chain"
"#;

struct Folder(Place);

impl Folder {
    fn new() -> Self {
        let place = Place::local();
        let input = place.folder.path().join("in");
        std::fs::create_dir(&input).unwrap();
        std::fs::write(input.join("a.json"), "{\"amount\":5,\"ts\":1795258800}\n").unwrap();
        Self(place)
    }

    fn path(&self) -> &Path {
        self.0.folder.path()
    }

    /// Whether a command with such a pipeline does what it is to do, and what it says.
    fn command(&self, arguments: &[&str], name: &str, kind: &str, out: &str) -> (bool, String) {
        let text = PIPELINE.replace("NAME", name).replace("TYPE", kind).replace("OUT", out);
        std::fs::write(self.path().join("columns.toml"), text).unwrap();
        let output = ended(sluicegate(&self.0).args(arguments).arg("columns.toml"));
        let said =
            String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
        (output.status.success(), said)
    }

    #[track_caller]
    fn assert_refused(&self, name: &str, kind: &str, out: &str, sentence: &str) {
        for arguments in ["check", "run"] {
            let (done, said) = self.command(&[arguments], name, kind, out);
            assert!(!done && said.contains(sentence), "{arguments}: {said}");
        }
    }

    #[track_caller]
    fn assert_done(&self, arguments: &[&str], name: &str, kind: &str, out: &str) {
        let (done, said) = self.command(arguments, name, kind, out);
        assert!(done, "{arguments:?}: {said}");
    }
}

#[test]
fn after_a_reset_that_keeps_the_files() {
    let folder = Folder::new();
    folder.assert_done(&["run"], "first", "int64", "out");
    folder.assert_done(&["reset", "--yes"], "first", "int64", "out");
    folder.assert_refused(
        "first",
        "float64",
        "out",
        "`amount` is int64 there and would be float64",
    );
    folder.assert_done(&["run"], "first", "int64", "out");
}

#[test]
fn what_a_reset_is_about_to_do_is_said_as_something_to_do() {
    let folder = Folder::new();
    folder.assert_done(&["run"], "first", "int64", "out");
    let reset = |arguments: &[&str]| folder.command(arguments, "first", "int64", "out");
    let (done, said) = reset(&["reset", "--dry-run"]);
    assert!(done && said.contains("to keep:   1 data files"), "{said}");
    assert!(said.contains("in the tables twice; --data deletes them"), "{said}");
    let (done, said) = reset(&["reset", "--dry-run", "--data"]);
    assert!(done && said.contains("to delete: 1 data files"), "{said}");
    assert!(!said.contains("twice"), "nothing is kept: {said}");
    // Nobody can be asked, so nothing is done.
    let (done, said) = reset(&["reset", "--data"]);
    assert!(!done && !said.contains("deleted") && !said.contains("forgotten"), "{said}");
    folder.assert_done(&["verify"], "first", "int64", "out");
}

#[test]
fn a_run_that_is_refused_leaves_no_module_in_the_store() {
    let folder = Folder::new();
    folder.assert_done(&["run"], "first", "int64", "out");
    let plugin = services::plugin("valid-sale").display().to_string();
    let stage = format!(
        "price = \"decimal(18,2)\"\nstore = \"string\"\n[[stages]]\nid = \"valid\"\nkind = \"filter\"\nplugin = \"{plugin}\"\n[event_time]"
    );
    let text = PIPELINE.replace("[event_time]", &stage).replace("OUT", "out");
    let file = folder.path().join("columns.toml");
    let run = |kind| {
        std::fs::write(&file, text.replace("NAME", "second").replace("TYPE", kind)).unwrap();
        ended(sluicegate(&folder.0).arg("run").arg("columns.toml"))
    };
    let refused = run("string");
    assert!(!refused.status.success(), "{refused:?}");
    assert!(!folder.path().join("chain/modules").exists());
    let taken = run("int64");
    assert!(taken.status.success(), "{taken:?}");
    assert!(folder.path().join("chain/modules/names/valid-sale").exists());
}

#[test]
fn by_another_name_of_the_folder() {
    let folder = Folder::new();
    folder.assert_done(&["run"], "first", "decimal(10,2)", "out");
    let whole = folder.path().join("out").display().to_string();
    let sentence = "`amount` is decimal(10,2) there and would be decimal(10,3)";
    folder.assert_refused("first", "decimal(10,3)", &whole, sentence);
    folder.assert_done(&["run"], "first", "decimal(10,2)", &whole);
}

#[test]
fn beside_the_files_of_another_pipeline() {
    let folder = Folder::new();
    folder.assert_done(&["run"], "first", "int64", "out");
    for name in ["after", "zero"] {
        let sentence = "`amount` is int64 there and would be string";
        folder.assert_refused(name, "string", "out", sentence);
        folder.assert_done(&["run"], name, "int64", "out");
        // And one that goes on from its chain finds what was put beside it.
        folder.assert_done(&["check"], name, "int64", "out");
    }
}
