//! Counts, and groups that have too few.

use sluicegate_sdk::testing::aggregate;

use super::*;

const EVENTS: &str = "group\n0\n1\n0\n2\n0\n1";

#[test]
fn every_event_counts() {
    assert_eq!(aggregate(Plugin, &[], EVENTS).unwrap().rows, ["0 | 3", "1 | 2", "2 | 1"]);
}

#[test]
fn groups_with_too_few_are_not_shown() {
    let answer = aggregate(Plugin, &[("at-least", "2")], EVENTS).unwrap();
    assert_eq!(answer.rows, ["0 | 3", "1 | 2"]);
    assert!(aggregate(Plugin, &[("at-least", "two")], EVENTS).is_err());
}
