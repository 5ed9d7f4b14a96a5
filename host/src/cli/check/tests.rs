//! Against the example plugins, which `cargo xtask plugins` builds: what fits, and what is said of what does not.

use std::collections::BTreeMap;
use std::path::Path;

use expect_test::expect;

use super::{check_plugins, describe};
use crate::config::file::parse;
use crate::plugin::engine::PluginEngine;

/// The files example in the folder of the examples, so that its plugins are found.
const FILES: &str = include_str!("../../../../deploy/pipelines/sales-files.toml");

fn check(text: &str) -> anyhow::Result<Vec<[String; 5]>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/pipelines/sales-files.toml");
    let pipeline = parse(text, &path, &BTreeMap::new())?;
    let engine = PluginEngine::new(None)?;
    let stages = check_plugins(&pipeline, &engine, |_| Ok(None))?;
    Ok(stages.iter().map(describe).collect())
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
fn a_named_plugin_is_left_to_the_store() {
    let text = FILES
        .replace("../../target/plugins/valid-sale.wasm", "valid-sale")
        .replace("../../target/plugins/revenue.wasm", "revenue");
    let stages = check(&text).unwrap();
    assert_eq!(stages[0][3], "not looked at");
    expect![[r#"
        [
            [
                "valid",
                "filter",
                "valid-sale",
                "not looked at",
                "",
            ],
            [
                "revenue",
                "aggregate",
                "revenue",
                "not looked at",
                "",
            ],
        ]"#]].assert_eq(&format!("{stages:#?}"));
}
