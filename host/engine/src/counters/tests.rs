//! Counters stay bounded, and durations fall into the right bucket.

use std::time::Duration;

use super::*;
use sluicegate_chain::fates::Fates;
use sluicegate_model::position::Partition;

#[test]
fn partitions_beyond_the_limit_are_counted_together() {
    let fates = PartitionFates::default();
    let one = Fates { read: 1, accepted: 1, ..Fates::default() };
    for _ in 0..2 {
        for number in 0..515 {
            fates.add(&Partition { stream: "sales".into(), number }, &one);
        }
    }
    let mut seen = Vec::new();
    let visited = fates.visit(|stream, _, counters| {
        seen.push((stream.to_owned(), counters.accepted.get()));
        Ok::<(), ()>(())
    });
    assert!(visited.is_ok());
    assert_eq!(seen.len(), 513);
    assert_eq!(seen[0], ("sales".to_owned(), 2));
    assert_eq!(seen[512], ("other".to_owned(), 6));
}

#[test]
fn a_bound_belongs_to_its_bucket_and_what_is_above_all_to_the_last() {
    let histogram = Histogram::new(&FAST);
    for millis in [0, 1, 5_000, 5_001] {
        histogram.observe(Duration::from_millis(millis));
    }
    let filled: Vec<_> = histogram.buckets().into_iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(filled, [(0.0005, 1), (0.001, 1), (5.0, 1), (f64::INFINITY, 1)]);
    assert_eq!(histogram.count(), 4);
    assert!((histogram.sum_seconds() - 10.002).abs() < 1e-9);
}

#[test]
fn kinds_beyond_the_limit_are_counted_as_other() {
    let counters = NamedCounters::default();
    for n in 0..100 {
        counters.add(&format!("name-{n:03}"), 1);
    }
    counters.add("name-000", 1);
    let all = counters.all();
    assert_eq!(all.len(), NamedCounters::NAMES_MAX);
    assert_eq!(all[0], ("name-000".to_owned(), 2));
    assert_eq!(all.last().unwrap(), &("other".to_owned(), 69));
    counters.add(&"x".repeat(1_000), 1);
    assert_eq!(counters.all().len(), NamedCounters::NAMES_MAX);
}
