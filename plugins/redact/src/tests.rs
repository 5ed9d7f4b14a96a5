//! What stays and what goes.

use sluicegate_sdk::testing::map;

use super::*;

fn redacted(config: &[(&str, &str)], cities: &str) -> Vec<String> {
    map(Plugin, config, &format!("city\n{cities}")).unwrap().rows
}

#[test]
fn everything_is_hidden_by_default() {
    assert_eq!(redacted(&[], "Bern\nnull\n\"\""), ["0 | ****", "1 | null", "2 | \"\""]);
}

#[test]
fn letters_are_kept_whole() {
    assert_eq!(redacted(&[("keep", "1")], "Örebro\nX"), ["0 | Ö*****", "1 | X"]);
}

#[test]
fn keep_is_a_number() {
    let why = map(Plugin, &[("keep", "-1")], "city").unwrap_err();
    assert_eq!(why, "configuration `keep` is `-1`: invalid digit found in string");
}
