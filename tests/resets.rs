//! What `reset` says before it does anything, and what `verify` says of what it leaves.

use crate::harness::amounts::{Amounts, Copying};

const PLAIN: Copying<'_> = Copying {
    name: "first",
    kind: "int64",
    format: "parquet",
    out: "data/out",
    chain: "data/chain",
};
const DELTA: Copying<'_> = Copying { format: "delta", ..PLAIN };

#[test]
fn what_it_is_about_to_do_is_said_as_something_to_do() {
    let folder = Amounts::new();
    folder.done(&["run"], PLAIN);
    let said = folder.done(&["reset", "--dry-run"], PLAIN);
    assert!(said.contains("to keep:   1 data files"), "{said}");
    assert!(said.contains("in the tables twice; --data deletes them"), "{said}");
    let said = folder.done(&["reset", "--dry-run", "--data"], PLAIN);
    assert!(said.contains("to delete: 1 data files"), "{said}");
    assert!(!said.contains("twice"), "nothing is kept: {said}");
}

#[test]
fn the_folders_of_what_is_kept_follow_at_once() {
    let folder = Amounts::new();
    folder.done(&["run"], DELTA);
    let said = folder.done(&["reset", "--dry-run"], DELTA);
    let lines: Vec<&str> = said.lines().map(str::trim_start).collect();
    let begin = |start: &str| lines.iter().position(|line| line.starts_with(start));
    let kept = begin("to keep:").unwrap();
    assert_eq!(begin("dead_letters: "), Some(kept + 1), "{said}");
    assert_eq!(begin("rows: "), Some(kept + 2), "{said}");
    assert_eq!(begin("to release: the table rows"), Some(kept + 3), "{said}");
}

/// Exit code 2 says so to a script: it may try again.
#[test]
fn one_that_changes_nothing_is_refused() {
    let folder = Amounts::new();
    folder.done(&["run"], DELTA);
    let said = folder.refused(&["reset"], DELTA);
    assert!(said.text.contains("nobody can be asked here: give --yes"), "{said:?}");
    assert_eq!(said.code, Some(2));
    let said = folder.refused(&["reset", "--data", "--yes"], DELTA);
    assert!(said.text.contains("delete all of it with --all-data"), "{said:?}");
    assert!(!said.text.contains("deleted") && !said.text.contains("forgotten"), "{said:?}");
    assert_eq!(said.code, Some(2));
    folder.done(&["verify"], DELTA);
}

#[test]
fn a_look_before_the_next_run_tells_of_it() {
    let folder = Amounts::new();
    let before = folder.refused(&["verify"], PLAIN);
    assert!(before.text.contains("it has not run yet"), "{before:?}");
    folder.done(&["run"], PLAIN);
    folder.done(&["reset", "--yes"], PLAIN);
    let after = folder.refused(&["verify"], PLAIN);
    assert!(after.text.contains("it was reset, and has not run since"), "{after:?}");
}

/// Whoever deletes files that the log names breaks the table.
#[test]
fn files_that_it_left_in_a_table_are_not_earlier_ones() {
    let folder = Amounts::new();
    let other = Copying { name: "other", out: "data/plain", ..PLAIN };
    for pipeline in [DELTA, other] {
        folder.done(&["run"], pipeline);
        folder.done(&["reset", "--yes"], pipeline);
        folder.done(&["run"], pipeline);
    }
    let plain = folder.done(&["verify"], other);
    assert!(plain.contains("earlier 1, undecided 0"), "no log names them: {plain}");
    let said = folder.done(&["reset", "--yes"], DELTA);
    assert!(said.contains("forgotten"), "{said}");
    folder.done(&["run"], DELTA);
    let said = folder.done(&["verify"], DELTA);
    assert!(said.contains("foreign 0, earlier 0, undecided 0"), "{said}");
    assert!(said.contains("2 data files of chains that were reset are in their tables"), "{said}");
}

#[test]
fn files_that_are_put_together_are_said_before_they_are() {
    let folder = Amounts::new();
    folder.done(&["run"], DELTA);
    folder.done(&["reset", "--yes"], DELTA);
    folder.done(&["run"], DELTA);
    let said = folder.done(&["table", "compact", "--dry-run"], DELTA);
    assert!(said.contains("rows: 2 files of") && said.contains("would become 1"), "{said}");
    assert!(said.contains("nothing was changed: leave out --dry-run"), "{said}");
    let said = folder.done(&["table", "compact"], DELTA);
    assert!(said.contains("with the same 2 rows"), "{said}");
    let said = folder.done(&["verify"], DELTA);
    assert!(said.contains("those of chains that were reset may be among them"), "{said}");
    let said = folder.done(&["table", "vacuum", "--dry-run"], DELTA);
    assert!(said.contains("nothing was deleted: say --delete"), "{said}");
    folder.refused(&["table", "vacuum", "--dry-run", "--delete"], DELTA);
}
