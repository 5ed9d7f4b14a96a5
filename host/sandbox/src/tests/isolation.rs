//! Whatever rows a plugin cannot bear, exactly those are refused, and the rest is as if they had never been there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use proptest::prelude::*;

use super::{empty_states, hash_of, hashes, limits, rows, runner_of, runner_with, window};
use crate::run::brake::Brake;
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind::{Aggregate, Filter, Map};
use sluicegate_model::refusal::RefusalKind;
use sluicegate_model::time::Clock;
use sluicegate_model::varlen::Varlen;

/// Any batch with any set of guilty rows, and calls of any size.
fn batches() -> impl Strategy<Value = (Vec<i64>, CallLimits)> {
    let honest = 1_i64..100;
    let row = prop_oneof![8 => honest, 1 => -100_i64..0];
    let bytes = prop_oneof![Just(1_usize << 20), Just(4_000), Just(300)];
    (prop::collection::vec(row, 0..300), 1_usize..400, bytes)
        .prop_map(|(integers, rows, bytes)| (integers, CallLimits { rows, bytes, ..limits() }))
}

fn guilty(integers: &[i64]) -> Vec<(u32, RefusalKind)> {
    (0..)
        .zip(integers)
        .filter_map(|(row, i)| match i {
            13 => Some((row, RefusalKind::Rejected)),
            i if *i < 0 => Some((row, RefusalKind::Trap)),
            _ => None,
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn of_a_filter((integers, limits) in batches()) {
        let outcome = runner_with(Filter, "trap", &limits).filter(&rows(&integers));
        let kept: Vec<_> = outcome.keep.iter().collect();
        let expected: Vec<_> = integers.iter().map(|i| *i > 0 && *i != 13 && i % 2 == 1).collect();
        prop_assert_eq!(kept, expected);
        let refused: Vec<_> = outcome.refusals.iter().map(|it| (it.row, it.kind)).collect();
        prop_assert_eq!(refused, guilty(&integers));
    }

    #[test]
    fn of_a_map((integers, limits) in batches()) {
        let batch = rows(&integers);
        let outcome = runner_with(Map, "trap", &limits).map(&batch);
        let refused: Vec<_> = outcome.refusals.iter().map(|it| (it.row, it.kind)).collect();
        prop_assert_eq!(refused, guilty(&integers));
        let innocent: UInt32Array =
            (0..).zip(&integers).filter(|(_, i)| **i > 0).map(|(row, _)| row).collect();
        let without = runner_of(Map, "").map(&take_record_batch(&batch, &innocent).unwrap());
        prop_assert_eq!(outcome.batch, without.batch);
        let sources: Vec<_> =
            without.source_rows.iter().map(|row| innocent.value(*row as usize)).collect();
        prop_assert_eq!(outcome.source_rows, sources);
    }

    #[test]
    fn of_an_aggregate((integers, limits) in batches(), groups in 1_u32..60) {
        let group_of = |row: usize| u32::try_from(row * 7919 % groups as usize).unwrap();
        let places: Vec<u32> = (0..integers.len()).map(group_of).collect();
        let given = empty_states(groups as usize);
        let outcome = runner_with(Aggregate, "trap", &limits).update(&rows(&integers), &places, &given);
        let refused: Vec<_> = outcome.refusals.iter().map(|it| (it.row, it.kind)).collect();
        prop_assert_eq!(refused, guilty(&integers));
        let of_group = |group: u32| {
            let rows = integers.iter().zip(&places).filter(move |(i, at)| **at == group && **i > 0);
            hash_of(rows.map(|(i, _)| *i))
        };
        let expected: Vec<_> = (0..groups).map(of_group).collect();
        prop_assert_eq!(hashes(&outcome.states), expected);
    }
}

fn states(hashes: &[i64]) -> Varlen {
    let bytes: Vec<_> = hashes.iter().map(|hash| hash.to_le_bytes()).collect();
    bytes.iter().map(|state| &state[..]).collect()
}

#[test]
fn groups_that_cannot_be_evaluated_are_refused_and_hold_nothing_back() {
    let mut runner = runner_of(Aggregate, "trap-states");
    let windows: Vec<_> = (0..5).map(|n| window(30 * n, 30 * (n + 1))).collect();
    let outcome = runner.evaluate(&windows, &states(&[1, -2, 3, 4, -5]));
    assert_eq!(outcome.groups, [0, 2, 3]);
    let names = outcome.batch.column(1);
    assert_eq!(
        format!("{names:?}").replace('\n', ""),
        r#"StringArray[  "0..30",  "60..90",  "90..120",]"#
    );
    let refused: Vec<_> = outcome.refusals.iter().map(|it| it.group).collect();
    assert_eq!(refused, [1, 4]);
    expect_test::expect!["trap: wasm `unreachable` instruction executed; the plugin's last error: panicked: no way to deal with such a state"].assert_eq(&outcome.refusals[0].reason);
}

#[test]
fn groups_that_cannot_be_merged_are_refused() {
    let mut runner = runner_of(Aggregate, "trap-states");
    let outcome = runner.merge(&states(&[1, -2, 3]), &states(&[10, 20, 30]));
    assert_eq!(hashes(&outcome.states), [11, 0, 33]);
    assert_eq!(outcome.refusals[0].group, 1);
}

#[test]
fn migration_is_all_or_nothing() {
    let mut runner = runner_of(Aggregate, "");
    assert_eq!(runner.migrate(1, &states(&[1, 2])), Ok(states(&[1, 2])));
    let refused = runner.migrate(9, &states(&[1, 2])).unwrap_err();
    assert_eq!(refused.to_string(), "version 9?");
}

#[test]
fn a_plugin_that_always_fails_opens_the_circuit_breaker_for_a_minute() {
    let clock = Clock::manual(0);
    let limits = CallLimits { rows: 8_192, ..limits() };
    // Between two looks at it, 100 ms have passed: a call looks twice, so 20 s are 200 calls. What a call really takes counts
    // if it is more, which it is not on any machine.
    let cpu = AtomicU64::new(0);
    let cpu = move || cpu.fetch_add(100_000_000, Ordering::Relaxed);
    let mut runner =
        runner_with(Filter, "trap", &limits).with_clock(clock.clone()).with_cpu(Arc::new(cpu));
    let hopeless = rows(&vec![-1; 8_192]);
    for _ in 0..2 {
        assert_eq!(runner.filter(&hopeless).refusals.len(), 8_192);
    }
    let calls = runner.stats().calls;
    assert!((200..220).contains(&calls), "the budget, and the parts then open: {calls}");

    let mostly_innocent = rows(&[1, 2, -3, 4]);
    let outcome = runner.filter(&mostly_innocent);
    assert_eq!(runner.stats().calls, calls + 1, "no call but the first");
    assert_eq!(outcome.refusals.len(), 4);
    expect_test::expect!["refused together with 3 others, the plugin fails too often to find the guilty: trap: wasm `unreachable` instruction executed; the plugin's last error: panicked: no way to deal with -3"].assert_eq(&outcome.refusals[0].reason);
    let innocent = runner.filter(&rows(&[1, 2, 3]));
    assert_eq!(innocent.refusals, [], "a batch that works goes on all the same");

    clock.advance(Duration::from_secs(60));
    let outcome = runner.filter(&mostly_innocent);
    assert_eq!(outcome.refusals.iter().map(|it| it.row).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_pulled_brake_ends_a_batch_after_the_call_that_is_made() {
    let brake = Brake::new(|effort| effort.failing >= Duration::from_millis(3));
    let cpu = AtomicU64::new(0);
    let cpu = move || cpu.fetch_add(1_000_000, Ordering::Relaxed);
    let mut runner = runner_of(Aggregate, "trap").with_cpu(Arc::new(cpu)).with_brake(brake.clone());
    brake.begin_turn();
    let outcome = runner.update(&rows(&[-1; 64]), &[0; 64], &empty_states(1));
    assert_eq!(outcome.refusals.len(), 64, "all are settled");
    assert!(brake.is_pulled());
    assert_eq!(runner.stats().calls, 3);
    assert_eq!(brake.effort().failing, Duration::from_millis(3));
    brake.begin_turn();
    assert!(!brake.is_pulled(), "a new turn is a new chance");
    brake.end_turn();
    runner.update(&rows(&[-1; 64]), &[0; 64], &empty_states(1));
    assert!(!brake.is_pulled(), "between turns everything comes to its end");
}

#[test]
fn calls_that_go_well_count_as_well() {
    let brake = Brake::new(|effort| effort.calls >= Duration::from_millis(2));
    let cpu = AtomicU64::new(0);
    let cpu = move || cpu.fetch_add(1_000_000, Ordering::Relaxed);
    let mut runner = runner_of(Aggregate, "").with_cpu(Arc::new(cpu)).with_brake(brake.clone());
    brake.begin_turn();
    for calls in [1, 2, 2] {
        runner.update(&rows(&[1; 64]), &[0; 64], &empty_states(1));
        assert_eq!(runner.stats().calls, calls);
    }
    assert!(brake.is_pulled());
    assert_eq!(brake.effort().failing, Duration::ZERO);
}

#[test]
fn an_empty_batch_makes_no_call() {
    let mut runner = runner_of(Filter, "");
    assert_eq!(runner.filter(&rows(&[])).keep.len(), 0);
    assert_eq!(runner.stats().calls, 0);
    assert_eq!(runner_of(Map, "").map(&rows(&[])).batch.num_columns(), 8);
}

#[test]
fn rows_that_came_and_those_that_did_not_go_on_are_counted_once_whatever_it_took_to_isolate() {
    // Of 8 rows 1, 5 and 7 are kept by the filter; the map makes rows of all that it does not refuse.
    let batch = rows(&[1, 2, -3, 4, 5, 13, 7, 8]);
    let mut filter = runner_of(Filter, "trap");
    filter.filter(&batch);
    assert_eq!((filter.stats().given, filter.stats().dropped), (8, 5));
    assert!(filter.stats().rows > 8, "rows were given again to find the guilty");
    let mut map = runner_of(Map, "trap");
    let made = map.map(&batch);
    let mut sources = made.source_rows;
    sources.dedup();
    assert_eq!((map.stats().given, map.stats().dropped), (8, 8 - sources.len() as u64));
    assert!(map.stats().dropped >= 2);
    let mut aggregate = runner_of(Aggregate, "trap");
    aggregate.update(&batch, &[0; 8], &empty_states(1));
    aggregate.evaluate(&[window(0, 1)], &empty_states(1));
    let stats = aggregate.stats();
    assert_eq!((stats.given, stats.dropped), (8, 2), "a group that is evaluated is no row");
}
