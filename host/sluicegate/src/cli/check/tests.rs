//! What is said of plugins that cannot be had. Plugins that are there are tried end to end. And every pipeline that the
//! documentation shows is one.

use std::collections::BTreeMap;
use std::path::Path;

use expect_test::expect;
use toml::{Table, Value};

use super::outlook::Outlook;
use super::{Found, description, fit_plugins};
use sluicegate_chain::modules::ModuleStore;
use sluicegate_pipeline::file::parse;
use sluicegate_sandbox::module::compile::Compiler;
use sluicegate_sandbox::module::engine::PluginEngine;
use sluicegate_store::Location;

/// The files example in the folder of the examples, so that paths of plugins are found.
const FILES: &str = include_str!("../../../../../deploy/pipelines/sales-files.toml");

fn check(text: &str) -> anyhow::Result<String> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/pipelines/sales-files.toml");
    let environment = BTreeMap::from([("KAFKA_PASSWORD".to_owned(), "geheim".to_owned())]);
    let pipeline = parse(text, &path, &environment)?;
    let engine = PluginEngine::new(None, Compiler::Here)?;
    let modules = ModuleStore::new(Location::in_memory());
    let plugins = fit_plugins(&pipeline, &engine, &modules)?.plugins;
    let outlook = Outlook::Anew;
    let text = description(&pipeline, Some(&Found { outlook, plugins }));
    Ok(text.replace(path.parent().unwrap().to_str().unwrap(), "…"))
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
    assert!(error.to_string().contains("is not a WebAssembly module"), "{error}");
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
          from         files ../../data/sales
          columns      store string, item string?, price decimal(18,2), ts timestamp(s)
          event time   ts, up to 5s out of order
          to           data/rows (rows)
          dead letters data/chain/sales-files/dead-letters
          commits      every 10s in data/chain

        the pipeline is good; a start begins from scratch: there is no chain in …/data/chain
    "#]];
    expected.assert_eq(&check(&text).unwrap());
}

/// What the pages show a part of.
const WHOLE: &str = r#"
name = "page"
[source]
type = "kafka"
[source.kafka]
brokers = "127.0.0.1:9092"
topic = "rows"
[schema]
store = "string"
user = "string"
card = "string"
price = "decimal(18,2)"
amount = "decimal(18,2)"
ts = "timestamp(s)"
[event_time]
column = "ts"
[[stages]]
id = "revenue"
kind = "aggregate"
plugin = "revenue"
[window]
type = "tumbling"
size = "30s"
key = ["store"]
[[sinks]]
id = "results"
type = "parquet"
path = "data/results"
[checkpoint]
path = "data/chain"
"#;

/// Puts a part into the whole: what says of which kind it is replaces what was there, all else is added to it.
fn complete(part: Table) -> Table {
    let mut whole: Table = WHOLE.parse().unwrap();
    for (section, value) in part {
        match (whole.get_mut(&section), value) {
            (Some(Value::Table(old)), Value::Table(new)) if !new.contains_key("type") => {
                old.extend(new);
            }
            (Some(Value::Array(old)), Value::Array(new)) if section == "sinks" => {
                let sinks = old.iter_mut().zip(new);
                for (old, new) in sinks {
                    match new.get("id") {
                        Some(_) => *old = new,
                        None => old.as_table_mut().unwrap().extend(as_table(new)),
                    }
                }
            }
            (_, value) => _ = whole.insert(section, value),
        }
    }
    // One of the two ends the stages.
    if whole.contains_key("process") {
        whole.remove("window");
    }
    whole
}

fn as_table(value: Value) -> Table {
    value.try_into().unwrap()
}

/// The pipeline of a block, with the compiled plugins in the places of those that it names.
fn pipeline_of(block: &str) -> String {
    let table: Table = block.parse().unwrap_or_else(|error| panic!("{error}:\n{block}"));
    let mut whole = if table.contains_key("name") { table } else { complete(table) };
    let stages = whole.get_mut("stages").and_then(Value::as_array_mut);
    for stage in stages.into_iter().flatten() {
        let plugin = stage["plugin"].as_str().unwrap();
        let name = Path::new(plugin).file_stem().unwrap().display();
        stage["plugin"] = Value::from(format!("../../target/plugins/{name}.wasm"));
    }
    whole.to_string()
}

#[test]
fn every_pipeline_of_the_documentation_is_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|page| page.unwrap().path());
    let mut blocks = BTreeMap::<String, usize>::new();
    for page in
        pages.chain([root.join("README.md")]).filter(|page| page.extension() == Some("md".as_ref()))
    {
        let text = std::fs::read_to_string(&page).unwrap();
        let name = page.file_name().unwrap().display().to_string();
        for block in text.split("```toml\n").skip(1) {
            let (block, _) = block.split_once("```").expect("a block ends");
            let checked = check(&pipeline_of(block));
            assert!(checked.is_ok(), "{name}: {:#}\n{block}", checked.unwrap_err());
            *blocks.entry(name.clone()).or_default() += 1;
        }
    }
    // A page that shows more is welcome; one of which nothing is found any more is not.
    let least = [("README.md", 1), ("pipeline.md", 1), ("process.md", 1), ("windows.md", 5)];
    assert!(least.iter().all(|(page, least)| blocks.get(*page) >= Some(least)), "{blocks:?}");
}

/// The test above would find a word that no pipeline has.
#[test]
fn a_page_with_a_slip_is_found_out() {
    let slip =
        "[window]\ntype = \"session\"\ngap = \"30m\"\nkey = [\"user\"]\nmax_lenght = \"1d\"\n";
    let error = check(&pipeline_of(slip)).unwrap_err().to_string();
    assert!(error.contains("did you mean `max_length`?"), "{error}");
    let slip = "[[stages]]\nid = \"velocity\"\nkind = \"filter\"\nplugin = \"fraud-velocity\"\n\
                [process]\nkey = [\"card\"]\n";
    assert!(check(&pipeline_of(slip)).is_err());
}
