//! What a start or a `reset` must leave alone: tables of others, chains of newer versions, tables whose chain is gone. Each is refused
//! in a sentence with the fix, and no object is another one than before.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::harness::amounts::{Amounts, Copying};

/// Has written the table `out`.
const FIRST: Copying<'_> =
    Copying { name: "first", kind: "int64", format: "delta", out: "data/out", chain: "data/chain" };

const SECOND: Copying<'_> = Copying { name: "second", ..FIRST };

fn folder() -> Amounts {
    let folder = Amounts::new();
    folder.done(&["run"], FIRST);
    folder
}

fn objects(folder: &Amounts) -> BTreeMap<String, Bytes> {
    let paths = folder.0.list("").into_iter();
    paths.map(|path| (path.clone(), folder.0.read(&path))).collect()
}

/// Each of the commands is refused in a sentence with these words, and changes nothing.
#[track_caller]
fn refused(folder: &Amounts, commands: &[&[&str]], pipeline: Copying<'_>, words: &[&str]) {
    let before = objects(folder);
    for arguments in commands {
        let said = folder.refused(arguments, pipeline).text;
        words.iter().for_each(|part| assert!(said.contains(part), "{arguments:?}: {said}"));
        let after = objects(folder);
        let changed = before.iter().find(|(path, bytes)| after.get(*path) != Some(bytes));
        assert_eq!(changed, None, "{arguments:?}");
        // A start asks the store whether it is a sound one, and leads before it opens a chain.
        let is_told = |path: &str| path.contains("/probe/") || path.contains("/terms/");
        let added = after.keys().find(|path| !before.contains_key(*path) && !is_told(path));
        assert_eq!(added, None, "{arguments:?}");
    }
}

const START: [&[&str]; 2] = [&["check"], &["run"]];

#[test]
fn a_table_of_another_pipeline() {
    let folder = folder();
    refused(
        &folder,
        &START,
        SECOND,
        &["belongs to `first/rows`, not to `second/rows`: choose another path"],
    );
    // One that has a chain of its own is not refused for want of anything to forget.
    let other = Copying { out: "data/other", ..SECOND };
    folder.done(&["run"], other);
    let resets: [&[&str]; 2] =
        [&["reset", "--all-data", "--yes"], &["reset", "--all-data", "--dry-run"]];
    refused(
        &folder,
        &resets,
        SECOND,
        &["belongs to `first/rows`", "correct `path`, or leave out --all-data"],
    );
    folder.done(&["reset", "--all-data", "--yes"], other);
    folder.done(&["verify"], FIRST);
}

/// Another program may read it: this one knows of no checkpoints in parts, of the kind V2, nor what else there will be.
#[test]
fn a_table_that_cannot_be_read() {
    let folder = folder();
    for text in ["{\"protocol\":", "{\"commitInfo\":{}}\n"] {
        let version = format!("strange/_delta_log/{:020}.json", 0);
        folder.0.write(&version, text.into());
        refused(
            &folder,
            &[&["reset", "--all-data", "--yes"]],
            Copying { out: "data/strange", ..FIRST },
            &["the Delta table at", "strange", "correct `path`"],
        );
    }
}

#[test]
fn a_table_with_another_schema() {
    let folder = folder();
    // Its rows stay.
    folder.done(&["reset", "--yes"], FIRST);
    refused(
        &folder,
        &START,
        Copying { kind: "string", ..FIRST },
        &["has other columns", "write to another path"],
    );
}

#[test]
fn a_chain_from_a_newer_version() {
    let folder = folder();
    let slot = folder.0.list("chain/first/lanes/0/chain").pop().unwrap();
    folder.0.write(&slot, r#"{"v":99,"zone":"a"}"#.into());
    refused(
        &folder,
        &START,
        FIRST,
        &[
            "has layout 99, this program reads up to",
            "run the version that wrote it, or a newer one",
        ],
    );
}

/// Its file was copied, and another `checkpoint.path` written into the copy.
#[test]
fn a_table_whose_chain_lies_elsewhere() {
    let folder = folder();
    let elsewhere = Copying { chain: "data/elsewhere", ..FIRST };
    let gone = ["there is no chain of pipeline `first`", "correct `checkpoint.path`"];
    refused(&folder, &START, elsewhere, &gone);
    let resets: [&[&str]; 2] =
        [&["reset", "--all-data", "--yes"], &["reset", "--all-data", "--dry-run"]];
    let words = [
        "is written by the chain",
        "data/chain when it took the table",
        "correct `checkpoint.path`",
        "`sluicegate reset` without --all-data releases the table first",
    ];
    refused(&folder, &resets, elsewhere, &words);
    folder.done(&["verify"], FIRST);
    // Who means it says so in two steps.
    folder.done(&["reset", "--yes"], elsewhere);
    folder.done(&["reset", "--all-data", "--yes"], elsewhere);
    assert_eq!(folder.0.list("out"), Vec::<String>::new());
}

#[test]
fn a_table_whose_chain_is_lost() {
    let folder = folder();
    std::fs::remove_dir_all(folder.0.folder.path().join("data/chain/first")).unwrap();
    refused(
        &folder,
        &START,
        FIRST,
        &[
            "there is no chain of pipeline `first`",
            "correct `checkpoint.path`",
            "`sluicegate reset FILE`",
        ],
    );
    folder.done(&["reset", "--yes"], FIRST);
    folder.done(&["run"], FIRST);
}
