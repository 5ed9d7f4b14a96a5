//! What a start or a `reset` must leave alone: tables of others, chains of newer versions, tables whose chain is gone. Each is refused
//! in a sentence with the fix, and no object is another one than before.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::harness::host::{ended, sluicegate};
use crate::harness::place::Place;

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
type = "delta"
path = "data/OUT"
[checkpoint]
path = "data/chain"
"#;

/// A folder with an input, in which the pipeline `first` has written the table `out`.
struct Folder(Place);

impl Folder {
    fn new() -> Self {
        let folder = Self(Place::local());
        let input = folder.0.folder.path().join("in");
        std::fs::create_dir(&input).unwrap();
        std::fs::write(input.join("a.json"), "{\"amount\":5,\"ts\":1795258800}\n").unwrap();
        folder.done(&["run"], "first", "int64", "out");
        folder
    }

    /// Whether a command with such a pipeline does what it is to do, and what it says.
    fn command(&self, arguments: &[&str], name: &str, kind: &str, out: &str) -> (bool, String) {
        let text = PIPELINE.replace("NAME", name).replace("TYPE", kind).replace("OUT", out);
        std::fs::write(self.0.folder.path().join("pipeline.toml"), text).unwrap();
        let output = ended(sluicegate(&self.0).args(arguments).arg("pipeline.toml"));
        let said =
            String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
        (output.status.success(), said)
    }

    #[track_caller]
    fn done(&self, arguments: &[&str], name: &str, kind: &str, out: &str) {
        let (done, said) = self.command(arguments, name, kind, out);
        assert!(done, "{arguments:?}: {said}");
    }

    fn objects(&self) -> BTreeMap<String, Bytes> {
        let paths = self.0.list("").into_iter();
        paths.map(|path| (path.clone(), self.0.read(&path))).collect()
    }

    /// Each of the commands is refused in a sentence with these words, and changes nothing.
    #[track_caller]
    fn refused(&self, commands: &[&[&str]], (name, kind, out): (&str, &str, &str), words: &[&str]) {
        let before = self.objects();
        for arguments in commands {
            let (done, said) = self.command(arguments, name, kind, out);
            assert!(!done, "{arguments:?}: {said}");
            words.iter().for_each(|part| assert!(said.contains(part), "{arguments:?}: {said}"));
            let after = self.objects();
            let changed = before.iter().find(|(path, bytes)| after.get(*path) != Some(bytes));
            assert_eq!(changed, None, "{arguments:?}");
            // A start asks the store whether it is a sound one, and leads before it opens a chain.
            let is_told = |path: &str| path.contains("/probe/") || path.contains("/terms/");
            let added = after.keys().find(|path| !before.contains_key(*path) && !is_told(path));
            assert_eq!(added, None, "{arguments:?}");
        }
    }

    fn newest_slot(&self) -> String {
        self.0.list("chain/first/lanes/0/chain").pop().unwrap()
    }
}

const START: [&[&str]; 2] = [&["check"], &["run"]];

#[test]
fn a_table_of_another_pipeline() {
    let folder = Folder::new();
    folder.refused(
        &START,
        ("second", "int64", "out"),
        &["belongs to `first/rows`, not to `second/rows`: choose another path"],
    );
    // One that has a chain of its own is not refused for want of anything to forget.
    folder.done(&["run"], "second", "int64", "other");
    let resets: [&[&str]; 2] =
        [&["reset", "--all-data", "--yes"], &["reset", "--all-data", "--dry-run"]];
    folder.refused(
        &resets,
        ("second", "int64", "out"),
        &["belongs to `first/rows`", "correct `path`, or leave out --all-data"],
    );
    folder.done(&["reset", "--all-data", "--yes"], "second", "int64", "other");
    folder.done(&["verify"], "first", "int64", "out");
}

/// Another program may read it: this one knows of no checkpoints in parts, of the kind V2, nor what else there will be.
#[test]
fn a_table_that_cannot_be_read() {
    let folder = Folder::new();
    for text in ["{\"protocol\":", "{\"commitInfo\":{}}\n"] {
        let version = format!("strange/_delta_log/{:020}.json", 0);
        folder.0.write(&version, text.into());
        folder.refused(
            &[&["reset", "--all-data", "--yes"]],
            ("first", "int64", "strange"),
            &["the Delta table at", "strange", "correct `path`"],
        );
    }
}

#[test]
fn a_table_with_another_schema() {
    let folder = Folder::new();
    // Its rows stay.
    folder.done(&["reset", "--yes"], "first", "int64", "out");
    folder.refused(
        &START,
        ("first", "string", "out"),
        &["has other columns", "write to another path"],
    );
}

#[test]
fn a_chain_from_a_newer_version() {
    let folder = Folder::new();
    let slot = folder.newest_slot();
    folder.0.write(&slot, r#"{"v":99,"zone":"a"}"#.into());
    folder.refused(
        &START,
        ("first", "int64", "out"),
        &[
            "has layout 99, this program reads up to",
            "run the version that wrote it, or a newer one",
        ],
    );
}

#[test]
fn a_table_whose_chain_is_lost() {
    let folder = Folder::new();
    std::fs::remove_dir_all(folder.0.folder.path().join("data/chain/first")).unwrap();
    folder.refused(
        &START,
        ("first", "int64", "out"),
        &[
            "there is no chain of pipeline `first`",
            "correct `checkpoint.path`",
            "`sluicegate reset FILE`",
        ],
    );
    folder.done(&["reset", "--yes"], "first", "int64", "out");
    folder.done(&["run"], "first", "int64", "out");
}
