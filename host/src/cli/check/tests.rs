//! What is said of plugins that cannot be had. Plugins that are there are tried end to end.

use std::collections::BTreeMap;
use std::path::Path;

use expect_test::expect;

use super::{description, fit_plugins};
use crate::config::file::parse;
use crate::modules::ModuleStore;
use crate::plugin::engine::PluginEngine;
use crate::store::Location;

/// The files example in the folder of the examples, so that paths of plugins are found.
const FILES: &str = include_str!("../../../../deploy/pipelines/sales-files.toml");

fn check(text: &str) -> anyhow::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/pipelines/sales-files.toml");
    let pipeline = parse(text, &path, &BTreeMap::new())?;
    let engine = PluginEngine::new(None)?;
    let modules = ModuleStore::new(Location::in_memory());
    let plugins = fit_plugins(&pipeline, &engine, &modules)?;
    Ok(description(&pipeline, Some(&plugins)))
}

#[test]
fn a_plugin_that_is_not_there_is_named_with_the_fix() {
    let error = check(&FILES.replace("valid-sale.wasm", "absent.wasm")).unwrap_err().to_string();
    assert!(error.contains("stage `valid`") && error.contains("absent.wasm`"), "{error}");
    assert!(error.contains("correct the path"), "{error}");
}

#[test]
fn what_is_no_module_is_refused() {
    let error =
        check(&FILES.replace("../../target/plugins/valid-sale.wasm", "sales.toml/../sales.toml"));
    assert!(error.is_err());
    let error =
        check(&FILES.replace("../../target/plugins/valid-sale.wasm", "./sales.toml")).unwrap_err();
    assert!(error.to_string().contains("no WebAssembly module"), "{error}");
}

#[test]
fn a_name_that_the_store_does_not_have_is_told_with_its_stage() {
    let error = check(&FILES.replace("../../target/plugins/valid-sale.wasm", "valid-sale"));
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.contains("stage `valid`") && error.contains("no module `valid-sale`"), "{error}");
}

#[test]
fn without_plugins_the_file_is_described() {
    let text = FILES.split("[[stages]]").next().unwrap().to_owned()
        + "[[sinks]]\nid = \"rows\"\ntype = \"parquet\"\npath = \"data/rows\"\n[checkpoint]\npath = \"data/chain\"\n";
    let expected = expect![[r#"
        pipeline sales-files
          from         files data/sales
          columns      store string, item string?, price decimal(18,2), ts timestamp(s)
          event time   ts, up to 5s out of order
          to           data/rows (rows)
          dead letters counted and dropped
          commits      every 10s in data/chain

        the pipeline is good
    "#]];
    expected.assert_eq(&check(&text).unwrap());
}
