//! Keyed plugins as modules, and what their answers must look like.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, Decimal64Array};
use arrow::datatypes::{DataType, Decimal64Type, Field, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use expect_test::{Expect, expect};

use super::{AnyRunner, Lent, engine, fit_as, limits};
use crate::contract::bindings::exports::sluicegate::plugin::process_rows;
use crate::contract::bindings::sluicegate::plugin::columns::{BatchResult, VarlenResult};
use crate::instance::answer::keyed::{on_timer, process};
use crate::plugin::Plugin;
use crate::plugin::answer::*;
use sluicegate_model::module::PluginKind;
use sluicegate_model::time::EventTime;
use sluicegate_model::timers::KeyedGroups;
use sluicegate_model::timers::Timer;

fn fraud_velocity() -> Plugin {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/fraud-velocity.wasm");
    let bytes = std::fs::read(&path).expect("`cargo xtask plugins` was run");
    let limits = sluicegate_model::call::CallLimits { key_state: 32, ..limits() };
    let module = engine().load("fraud-velocity", &bytes, &limits).unwrap();
    assert_eq!(module.description.kind, PluginKind::Keyed);
    let rows = Schema::new(vec![Field::new("amount", DataType::Decimal64(18, 3), false)]);
    let config = [("more-than", "1"), ("within", "1s")];
    fit_as(PluginKind::Keyed, &config, &module, &Arc::new(rows)).unwrap().plugin
}

/// Payments of one card, a tenth of a second apart, the watermark right behind.
fn payments(mills: &[i64], first: i64) -> Lent {
    let amounts = Decimal64Array::from(mills.to_vec()).with_precision_and_scale(18, 3).unwrap();
    let amounts: arrow::array::ArrayRef = Arc::new(amounts);
    let time = |row| EventTime(first + row * 100_000);
    let times: Vec<EventTime> = (0..mills.len() as i64).map(time).collect();
    Lent {
        batch: RecordBatch::try_from_iter([("amount", amounts)]).unwrap(),
        watermarks: times.iter().map(|time| time.minus(1)).collect(),
        expired: vec![false; times.len()],
        groups: vec![0; times.len()],
        times,
    }
}

fn nobody() -> KeyedGroups {
    let mut groups = KeyedGroups::default();
    groups.push(&[], []);
    groups
}

#[test]
fn a_module_keeps_state_sets_timers_and_forgets() {
    let mut runner = AnyRunner::new(&fraud_velocity(), &limits());
    let outcome = runner.process(&payments(&[1_000, 1_001, 2_500], 0).rows(), &nobody());
    let refused: Vec<_> = outcome.refusals.iter().map(|it| (it.row, it.reason.as_str())).collect();
    assert_eq!(refused, [(1, "the amount has digits beyond cents")]);
    assert_eq!((outcome.source_rows, outcome.times), (vec![2], vec![EventTime(200_000)]));
    assert_eq!(outcome.batch.column(0).as_primitive::<Int64Type>().value(0), 2);
    assert_eq!(outcome.batch.column(2).as_primitive::<Decimal64Type>().value(0), 350);
    let timers: Vec<Timer> = outcome.groups.timers.get(0).collect();
    assert_eq!(timers, [Timer { time: EventTime(1_200_000), id: 0 }]);

    // The timer fires: by itself, and before a row that is behind it.
    let mut rest = KeyedGroups::default();
    rest.push(outcome.groups.states.value(0), []);
    let fired = runner.on_timers(&timers, &rest);
    assert_eq!((fired.groups, fired.batch.num_rows()), (nobody(), 0));
    let later = runner.process(&payments(&[1_000], 5_000_000).rows(), &outcome.groups);
    let fresh = runner.process(&payments(&[1_000], 5_000_000).rows(), &nobody());
    assert_eq!(later.groups, fresh.groups);
}

#[test]
fn a_row_that_makes_the_state_too_large_is_refused_alone() {
    let mut runner = AnyRunner::new(&fraud_velocity(), &limits());
    let outcome = runner.process(&payments(&[1_000; 9], 0).rows(), &nobody());
    let refused: Vec<u32> = outcome.refusals.iter().map(|refusal| refusal.row).collect();
    assert!(refused.len() < 9 && refused.contains(&8), "{refused:?}");
    let reason = &outcome.refusals[0].reason;
    assert!(reason.ends_with(" bytes, `limits.key_state` allows 32"), "{reason}");
    assert!(outcome.groups.states.value(0).len() <= 32);
}

type Timers<'a> = &'a [(i64, u32)];

fn raw_timers(timers: Timers<'_>) -> process_rows::TimerSetsResult {
    process_rows::TimerSetsResult {
        offsets: vec![0, timers.len() as u32],
        times: timers.iter().map(|timer| timer.0).collect(),
        ids: timers.iter().map(|timer| timer.1).collect(),
    }
}

fn raw_states(state: &[u8]) -> VarlenResult {
    VarlenResult { offsets: vec![0, state.len() as u32], bytes: state.to_vec() }
}

fn empty() -> arrow::datatypes::SchemaRef {
    Arc::new(Schema::empty())
}

/// Answers to one row at 10 with the watermark 5: `new` are the times of the rows it makes.
fn lies(timers: process_rows::TimerSetsResult, state: &[u8], new: &[i64], expected: &Expect) {
    let raw = process_rows::ProcessAnswer {
        states: raw_states(state),
        timers,
        rows: BatchResult { rows: new.len() as u32, columns: Vec::new() },
        source_rows: vec![0; new.len()],
        times: new.to_vec(),
        rejects: Vec::new(),
    };
    let rows = KeyedRows {
        batch: RecordBatch::new_empty(empty()),
        times: &[EventTime(10)],
        watermarks: &[EventTime(5)],
        expired: &[false],
        groups: &[0],
    };
    expected.assert_eq(&process(raw, &rows, 1, &empty(), &limits()).unwrap_err());
}

#[test]
fn lies_about_timers_and_times_are_found() {
    lies(
        raw_timers(&[(3, 1), (3, 1)]),
        b"",
        &[],
        &expect!["timers are not ascending: timer 1 at 3 after timer 1 at 3"],
    );
    lies(
        raw_timers(&[(3, 1), (2, 2)]),
        b"",
        &[],
        &expect!["timers are not ascending: timer 2 at 2 after timer 1 at 3"],
    );
    lies(
        raw_timers(&[(i64::MIN, 0)]),
        b"",
        &[],
        &expect!["a timer is set for -2^63, which is not a time"],
    );
    lies(
        raw_timers(&[(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]),
        b"",
        &[],
        &expect!["a key has 5 timers, `limits.key_timers` allows 4"],
    );
    lies(
        raw_timers(&[]),
        &[0; 1_025],
        &[],
        &expect!["the state of a key has 1025 bytes, `limits.key_state` allows 1024"],
    );
    lies(
        raw_timers(&[]),
        b"",
        &[7],
        &expect!["a new row has the time 7, which its source has not reached"],
    );
    let uneven = process_rows::TimerSetsResult { ids: vec![1, 2], ..raw_timers(&[(1, 1)]) };
    lies(uneven, b"", &[], &expect!["1 timers have 2 ids"]);
    let short = process_rows::TimerSetsResult { offsets: vec![0], ..raw_timers(&[]) };
    lies(short, b"", &[], &expect!["`timers` has 1 offsets, 1 values have one more"]);
}

#[test]
fn a_timer_that_sets_one_not_behind_it_is_a_fault() {
    let raw = |timers: Timers<'_>| process_rows::TimerAnswer {
        states: raw_states(b""),
        timers: raw_timers(timers),
        rows: BatchResult { rows: 0, columns: Vec::new() },
        groups: Vec::new(),
    };
    let fired = [Timer { time: EventTime(7), id: 1 }];
    let check = |timers: Timers<'_>| on_timer(raw(timers), &fired, &empty(), &limits());
    expect!["a timer sets a timer that is not behind it: group 0, at 7"]
        .assert_eq(&check(&[(7, 1)]).unwrap_err());
    assert!(check(&[(7, 2), (8, 0)]).is_ok(), "another timer of the same time was there before");
}
