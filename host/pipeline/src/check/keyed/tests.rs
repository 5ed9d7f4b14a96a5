//! `[process]` and the stage of its kind belong together, and exclude windows.

use std::collections::BTreeMap;
use std::path::Path;

use expect_test::{Expect, expect};

use crate::file::parse;

const FILTER: &str = "[[stages]]\nid = \"valid\"\nkind = \"filter\"\nplugin = \"valid\"\n";
const PROCESS: &str = "[[stages]]\nid = \"watch\"\nkind = \"process\"\nplugin = \"watch\"\n";
const KEYS: &str = "[process]\nkey = [\"card\"]\n";

fn pipeline(stages: &str) -> String {
    format!(
        "name = \"p\"\n[source]\ntype = \"files\"\n[source.files]\npath = \"in\"\n\
         [schema]\ncard = \"string\"\nts = \"timestamp(s)\"\n[event_time]\ncolumn = \"ts\"\n{stages}\
         [[sinks]]\nid = \"out\"\ntype = \"parquet\"\npath = \"out\"\n[checkpoint]\npath = \"chain\"\n"
    )
}

fn refused(stages: &str, expected: &Expect) {
    let text = pipeline(stages);
    let error = parse(&text, Path::new("p.toml"), &BTreeMap::new()).unwrap_err();
    expected.assert_eq(&error.to_string());
}

#[test]
fn a_key_and_its_stage_make_a_pipeline() {
    let text = pipeline(&format!("{FILTER}{PROCESS}{KEYS}ttl = \"1h\"\n"));
    let config = parse(&text, Path::new("p.toml"), &BTreeMap::new()).unwrap();
    let process = config.keyed.as_ref().unwrap();
    assert_eq!((process.ttl, &process.key[..]), (Some(3_600_000_000), &["card".to_owned()][..]));
    let ids: Vec<&str> = config.all_stages().map(|stage| &*stage.id).collect();
    assert_eq!(ids, ["valid", "watch"]);
    let summary = crate::summary::of(&config);
    assert!(summary.contains("by card, process watch"), "{summary}");
}

#[test]
fn one_without_the_other_is_refused() {
    refused(
        PROCESS,
        &expect![[
            r#"p.toml:13: `stages[0].kind`: stage "watch" keeps state per key: add a section `[process]` with `key`"#
        ]],
    );
    refused(
        KEYS,
        &expect![[
            r#"p.toml:11: `process`: keys need a plugin that processes them: end `[[stages]]` with one of `kind = "process"`, or remove `[process]`"#
        ]],
    );
}

#[test]
fn what_stands_in_the_wrong_place_is_refused() {
    refused(
        &format!("{PROCESS}{FILTER}{KEYS}"),
        &expect![
            "p.toml:13: `stages[0].kind`: a process plugin ends the stages: move this one to the end; only one can be there"
        ],
    );
    refused(
        &format!("{PROCESS}{KEYS}[window]\ntype = \"tumbling\"\nsize = \"1m\"\nkey = []\n"),
        &expect![[
            r#"p.toml:17: `window`: a window needs an aggregate: end `[[stages]]` with one of `kind = "aggregate"`, or remove `[window]`"#
        ]],
    );
    refused(
        &format!("{PROCESS}{KEYS}[late]\npath = \"late\"\n"),
        &expect![
            "p.toml:17: `late`: only windows make rows late: remove `[late]` or add a `[window]`"
        ],
    );
    refused(
        &format!("{PROCESS}[process]\nkey = [\"cart\"]\nttl = \"0s\"\n"),
        &expect![[r#"
        p.toml:16: `process.key[0]`: `[schema]` has no column `cart`; did you mean `card`?
        p.toml:17: `process.ttl`: a key that is forgotten at once has no state: write more than zero, or "off""#]],
    );
}
