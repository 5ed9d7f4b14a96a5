//! The committed schema and page are those that the types make now. `UPDATE_EXPECT=1` writes them.

use expect_test::expect_file;

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
    for line in markdown().lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        assert!(cells.len() == 5 && cells[3].len() > 10 && cells[1] != "–", "{line}");
    }
}
