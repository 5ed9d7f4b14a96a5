//! Gaps, users, disorder, clicks that join two visits.

use sluicegate_sdk::testing::process;

use super::*;

const GAP: &[(&str, &str)] = &[("gap", "10s")];

fn visits(clicks: &str) -> Vec<String> {
    process(Plugin, GAP, clicks).unwrap().rows
}

#[test]
fn a_gap_ends_a_visit_and_so_does_the_end() {
    let clicks = "
        time | group | page
        0s   | 0     | home
        4s   | 1     | blog
        9s   | 0     | shop
        25s  | 0     | home
    ";
    let expected =
        ["19s | 0 | 0 | 2 | home", "14s | 1 | 4000000 | 1 | blog", "35s | 0 | 25000000 | 1 | home"];
    assert_eq!(visits(clicks), expected);
}

#[test]
fn a_late_click_joins_two_visits() {
    let clicks = "
        time | watermark | page
        0s   | 0s        | home
        15s  | 5s        | exit
        8s   | 5s        | shop
    ";
    assert_eq!(visits(clicks), ["25s | 0 | 0 | 3 | home"]);
}

#[test]
fn a_click_that_comes_after_its_visit_is_one_of_its_own() {
    let clicks = "
        time | watermark | page
        0s   | 0s        | home
        40s  | 0s        | home
        1s   | 30s       | shop
    ";
    let expected =
        ["10s | 0 | 0 | 1 | home", "11s | 0 | 1000000 | 1 | shop", "50s | 0 | 40000000 | 1 | home"];
    assert_eq!(visits(clicks), expected);
}
