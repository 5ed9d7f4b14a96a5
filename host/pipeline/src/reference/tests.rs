//! The committed schema and page are those that the types make now. `UPDATE_EXPECT=1` writes them.

use expect_test::expect_file;

use serde_json::{Value as Json, json};

use super::{markdown, schema};

#[test]
fn the_committed_schema_is_current() {
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    expect_file!["../../../../docs/pipeline.schema.json"].assert_eq(&text);
}

#[test]
fn the_committed_page_is_current() {
    expect_file!["../../../../docs/pipeline.md"].assert_eq(&markdown());
}

#[test]
fn every_key_says_what_it_means() {
    let page = markdown();
    for section in page.split("\n## ") {
        for line in section.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.split(" | ").collect();
            assert!(cells.len() == 4 && cells[1] != "–", "{line}");
            let key = cells[0].trim_start_matches("| ");
            let meaning = section.split(&format!("\n* **{key}**: ")).nth(1).unwrap_or_default();
            assert!(meaning.lines().next().is_some_and(|line| line.len() > 10), "{line}");
        }
    }
}

#[test]
fn items_of_a_list_stay_items() {
    assert_eq!(
        super::unwrapped("One\ntwo:\n* three\n  four\n* five"),
        "One two:\n  * three four\n  * five"
    );
}

/// What an editor is told: which keys go together, and which of them have to be there.
#[test]
fn each_connector_has_its_own_keys() {
    let schema = schema();
    let forms = |table: &Json| -> Vec<String> {
        let form = |form: &Json| {
            assert_eq!(form["additionalProperties"], false, "{form}");
            let keys: Vec<&String> = form["properties"].as_object().unwrap().keys().collect();
            let word = &form["properties"]["type"]["const"];
            format!("{word} has {}, needs {}", json!(keys), form["required"])
        };
        table["oneOf"].as_array().unwrap().iter().map(form).collect()
    };
    let source = forms(&schema["properties"]["source"]);
    let expected = [
        r#""kafka" has ["kafka","type"], needs ["type","kafka"]"#,
        r#""files" has ["files","type"], needs ["type","files"]"#,
    ];
    assert_eq!(source, expected);
    let sinks = forms(&schema["properties"]["sinks"]["items"]);
    let expected = [
        r#""parquet" has ["corrections","file_bytes_max","id","partition_by","path","type"], needs ["type","id","path"]"#,
        r#""delta" has ["compact_after_files","compact_file_bytes","corrections","epoch_column","file_bytes_max","id","partition_by","path","type"], needs ["type","id","path"]"#,
        r#""console" has ["every","id","rows","type"], needs ["type","id"]"#,
        r#""kafka" has ["brokers","corrections","emit","id","key","properties","topic","type"], needs ["type","id","brokers","topic"]"#,
    ];
    assert_eq!(sinks, expected);
}
