//! A column keeps its type in the folder of a table, whoever wrote there before and however the pipeline names the folder.

use crate::harness::amounts::{Amounts, Copying};
use crate::harness::services;

const FIRST: Copying<'_> =
    Copying { name: "first", kind: "int64", format: "parquet", out: "out", chain: "data/chain" };

#[track_caller]
fn assert_refused(folder: &Amounts, pipeline: Copying<'_>, sentence: &str) {
    for command in ["check", "run"] {
        let said = folder.refused(&[command], pipeline).text;
        assert!(said.contains(sentence), "{command}: {said}");
    }
}

#[test]
fn after_a_reset_that_keeps_the_files() {
    let folder = Amounts::new();
    folder.done(&["run"], FIRST);
    folder.done(&["reset", "--yes"], FIRST);
    let sentence = "`amount` is int64 there and would be float64";
    assert_refused(&folder, Copying { kind: "float64", ..FIRST }, sentence);
    folder.done(&["run"], FIRST);
}

#[test]
fn a_run_that_is_refused_leaves_no_module_in_the_store() {
    let folder = Amounts::new();
    folder.done(&["run"], FIRST);
    let plugin = services::plugin("valid-sale").display().to_string();
    let stage = format!(
        "price = \"decimal(18,2)\"\nstore = \"string\"\n[[stages]]\nid = \"valid\"\nkind = \"filter\"\nplugin = \"{plugin}\"\n[event_time]"
    );
    let run = |kind| {
        let text = Copying { name: "second", kind, ..FIRST }.text();
        folder.run(&["run"], &text.replace("[event_time]", &stage))
    };
    let modules = folder.0.folder.path().join("data/chain/modules");
    let refused = run("string");
    assert_ne!(refused.code, Some(0), "{refused:?}");
    assert!(!modules.exists());
    let taken = run("int64");
    assert_eq!(taken.code, Some(0), "{taken:?}");
    assert!(modules.join("names/valid-sale").exists());
}

#[test]
fn by_another_name_of_the_folder() {
    let folder = Amounts::new();
    let first = Copying { kind: "decimal(10,2)", ..FIRST };
    folder.done(&["run"], first);
    let out = folder.0.folder.path().join("out").display().to_string();
    let sentence = "`amount` is decimal(10,2) there and would be decimal(10,3)";
    assert_refused(&folder, Copying { kind: "decimal(10,3)", out: &out, ..FIRST }, sentence);
    folder.done(&["run"], Copying { out: &out, ..first });
}

#[test]
fn beside_the_files_of_another_pipeline() {
    let folder = Amounts::new();
    folder.done(&["run"], FIRST);
    for name in ["after", "zero"] {
        let pipeline = Copying { name, ..FIRST };
        let sentence = "`amount` is int64 there and would be string";
        assert_refused(&folder, Copying { kind: "string", ..pipeline }, sentence);
        folder.done(&["run"], pipeline);
        // And one that goes on from its chain finds what was put beside it.
        folder.done(&["check"], pipeline);
    }
}
