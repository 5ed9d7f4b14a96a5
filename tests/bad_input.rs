//! What a user does wrong is refused with a sentence that names the thing and the fix; nothing is read or written.

use std::process::Output;

use expect_test::{Expect, expect};

use crate::harness::host::{ended, sluicegate};
use crate::harness::pipeline::Pipeline;
use crate::harness::place::Place;
use crate::http::module_with_foreign_import;

/// A good pipeline over a file that has one sale.
fn pipeline(place: &Place) -> Pipeline {
    let input = place.folder.path().join("sales.ndjson");
    std::fs::write(&input, "{\"store\":\"store-1\",\"price\":1,\"ts\":1700000000}\n").unwrap();
    let path = input.display();
    Pipeline::sales(format!("[source]\ntype = \"files\"\n[source.files]\npath = \"{path}\"\n"))
}

/// Checks a pipeline file after `edit` has changed its text; its refusal must read as expected, and `run` must refuse
/// it alike and leave nothing behind.
#[track_caller]
fn refused(pipeline: &dyn Fn(&Place) -> Pipeline, edit: (&str, &str), expected: Expect) {
    let place = Place::local();
    let file = pipeline(&place).write(&place);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(edit.0), "`{}` is not in\n{text}", edit.0);
    std::fs::write(&file, text.replacen(edit.0, edit.1, 1)).unwrap();
    let [check, run] = ["check", "run"].map(|command| {
        let output = ended(sluicegate(&place).arg(command).arg(&file));
        assert_eq!(output.status.code(), Some(2), "{command}: {output:?}");
        said(&place, &output)
    });
    expected.assert_eq(&check);
    assert_eq!(check, run, "`run` refuses it in the words of `check`");
    assert_eq!(place.list(""), Vec::<String>::new(), "nothing was written");
}

/// Standard error, without the folder of this run.
fn said(place: &Place, output: &Output) -> String {
    let folder = place.folder.path().display().to_string();
    let plugins = xtask::workspace::Workspace::here().plugins().display().to_string();
    String::from_utf8_lossy(&output.stderr).replace(&folder, "FOLDER").replace(&plugins, "PLUGINS")
}

/// The sales pipeline with a filter made of these bytes.
fn with_module(bytes: &'static [u8]) -> impl Fn(&Place) -> Pipeline {
    move |place| {
        let path = place.folder.path().join("filter.wasm");
        std::fs::write(&path, bytes).unwrap();
        Pipeline { filter: path.display().to_string(), ..pipeline(place) }
    }
}

#[test]
fn a_good_pipeline_passes_the_check_and_writes_nothing() {
    let place = Place::local();
    let file = pipeline(&place).write(&place);
    let output = ended(sluicegate(&place).arg("check").arg(&file));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(place.list(""), Vec::<String>::new());
}

#[test]
fn an_unknown_key_is_refused() {
    refused(
        &pipeline,
        ("size = \"30s\"", "sise = \"30s\""),
        expect![[r#"
        FOLDER/sales.toml:29: `window.sise`: unknown key; did you mean `size`?
        error: `FOLDER/sales.toml` is refused: 1 problem
    "#]],
    );
}

#[test]
fn a_wrong_type_is_refused() {
    refused(
        &pipeline,
        ("size = \"30s\"", "size = 30"),
        expect![[r#"
        FOLDER/sales.toml:29: `window.size`: write a duration, for example "30s", not the number 30
        error: `FOLDER/sales.toml` is refused: 1 problem
    "#]],
    );
}

#[test]
fn an_event_time_without_its_column_is_refused() {
    refused(
        &pipeline,
        ("column = \"ts\"", "column = \"time\""),
        expect![[r#"
        FOLDER/sales.toml:13: `event_time.column`: `[schema]` has no column `time`; did you mean `item`?
        error: `FOLDER/sales.toml` is refused: 1 problem
    "#]],
    );
}

#[test]
fn a_plugin_that_wants_a_column_the_schema_lacks_is_refused() {
    refused(
        &pipeline,
        ("price = \"decimal(18,2)\"\n", ""),
        expect![[r#"
        error: stage `valid`: plugin `valid-sale` wants the column `price` (decimal), which its rows lack: they have `store`, `item`, `ts`; declare it under [schema], name another one (`columns = { price = "…" }` in the stage), or rename the field in the plugin
    "#]],
    );
}

#[test]
fn a_plugin_that_is_not_there_is_refused() {
    refused(
        &pipeline,
        ("valid-sale.wasm", "valid-sail.wasm"),
        expect![[r#"
        error: stage `valid`: read the plugin `PLUGINS/valid-sail.wasm`; build it with `cargo build --release --target wasm32-unknown-unknown`, or correct the path, which is relative to the pipeline file: No such file or directory (os error 2)
    "#]],
    );
}

#[test]
fn a_setting_that_the_plugin_does_not_know_is_refused() {
    refused(
        &pipeline,
        ("store-prefix", "store-suffix"),
        expect![[r#"
        error: stage `valid`: plugin `valid-sale` refuses its configuration: configuration has `store-suffix`, but this plugin knows only `store-prefix`: take the key out of the stage's `config`, or let the plugin ask for it
    "#]],
    );
}

#[test]
fn an_aggregate_in_the_place_of_a_filter_is_refused() {
    refused(
        &pipeline,
        ("valid-sale.wasm", "revenue.wasm"),
        expect![[r#"
        error: stage `valid`: plugin `revenue` is of kind aggregate, the stage of kind filter; name another plugin, or make the stage `kind = "aggregate"`
    "#]],
    );
}

#[test]
fn a_module_that_is_no_wasm_is_refused() {
    refused(
        &with_module(b"#!/bin/sh"),
        ("name", "name"),
        expect![[r#"
        error: plugin `filter`: this is not a WebAssembly module; upload the .wasm file of `cargo build --release --target wasm32-unknown-unknown`
    "#]],
    );
}

#[test]
fn a_module_without_the_exports_is_refused() {
    refused(
        &with_module(b"\0asm\x01\0\0\0"),
        ("name", "name"),
        expect![[r#"
        error: plugin `filter`: the module is not a plugin: it does not export `lifecycle` of sluicegate:plugin@0.1.3 and its worlds `filter`, `map`, `aggregate` and `process`; write it with sluicegate-sdk and its `export!`
    "#]],
    );
}

#[test]
fn a_module_that_imports_something_else_is_refused() {
    let module = Vec::leak(module_with_foreign_import());
    refused(
        &with_module(module),
        ("name", "name"),
        expect![[r#"
        error: plugin `filter`: the module imports `env#f`, which no plugin gets: plugins have `log` and `count` of the host and nothing else, no WASI, no clock, no files; build for wasm32-unknown-unknown, without such crates
    "#]],
    );
}

#[test]
fn a_module_that_is_too_large_is_refused() {
    let module = Vec::leak(vec![0; (10 << 20) + 1]);
    refused(
        &with_module(module),
        ("name", "name"),
        expect![[r#"
        error: plugin `filter`: the module has 10485761 bytes, at most 10485760 are taken; build it with --release
    "#]],
    );
}
