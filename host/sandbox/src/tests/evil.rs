//! One sin per test: endless, hungry, loud, broken. The text is what a user reads in a dead letter.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use expect_test::{Expect, expect};

use super::{
    AnyRunner, SHORT, empty_states, hash_of, hashes, hurried, limits, rows, runner_of, try_fit,
};
use crate::plugin::answer::FilterAnswer;
use crate::plugin::guest::{FilterGuest, Guest, Instance};
use crate::plugin::{Code, Plugin, PluginError};
use sluicegate_model::call::CallLimits;
use sluicegate_model::module::PluginKind::{Aggregate, Filter, Map};
use sluicegate_model::refusal::{Refusal, RefusalKind};

fn only_the_guilty_row_is_refused(sin: &str, text: &Expect) -> RefusalKind {
    of_ten_only_the_guilty_is_refused(runner_of(Filter, sin), text)
}

/// Rows 0 to 9, of which row 6 is guilty: exactly that one is refused, and the rest goes on.
fn of_ten_only_the_guilty_is_refused(mut runner: AnyRunner, text: &Expect) -> RefusalKind {
    let batch = rows(&[1, 2, 3, 4, 5, 6, -7, 8, 9, 10]);
    let outcome = runner.filter(&batch);
    let kept: Vec<_> = outcome.keep.set_indices().collect();
    assert_eq!(kept, [0, 2, 4, 8]);
    let [Refusal { row: 6, kind, reason }] = &*outcome.refusals else {
        panic!("{:?}", outcome.refusals);
    };
    text.assert_eq(reason);
    *kind
}

#[test]
fn a_panic_is_told_in_the_plugins_own_words() {
    let kind = only_the_guilty_row_is_refused(
        "trap",
        &expect![
            "trap: wasm `unreachable` instruction executed; the plugin's last error: panicked: no way to deal with -7"
        ],
    );
    assert_eq!(kind, RefusalKind::Trap);
}

#[test]
fn a_trap_without_a_word_is_told_as_it_is() {
    let kind = only_the_guilty_row_is_refused(
        "silent-trap",
        &expect!["trap: wasm `unreachable` instruction executed"],
    );
    assert_eq!(kind, RefusalKind::Trap);
}

#[test]
fn an_endless_loop_meets_its_deadline() {
    let runner = AnyRunner::new(&hurried(Filter, "spin").unwrap().plugin, &SHORT);
    let kind = of_ten_only_the_guilty_is_refused(
        runner,
        &expect!["deadline: the call used more than 300 ms of CPU time"],
    );
    assert_eq!(kind, RefusalKind::Deadline);
}

#[test]
fn an_endless_recursion_meets_the_end_of_its_stack() {
    let kind = only_the_guilty_row_is_refused("recurse", &expect!["trap: call stack exhausted"]);
    assert_eq!(kind, RefusalKind::Trap);
}

#[test]
fn a_memory_bomb_meets_its_limit() {
    let kind = only_the_guilty_row_is_refused(
        "bomb",
        &expect!["trap: the plugin wants more than the 67108864 bytes of memory that it may have"],
    );
    assert_eq!(kind, RefusalKind::Trap);
}

#[test]
fn an_answer_beyond_the_limit_is_not_taken() {
    let mut runner = runner_of(Map, "huge");
    let outcome = runner.map(&rows(&[1, -7, 2]));
    assert_eq!(outcome.source_rows, [0, 0, 2]);
    let [Refusal { row: 1, kind: RefusalKind::Answer, reason }] = &*outcome.refusals else {
        panic!("{:?}", outcome.refusals);
    };
    expect!["answer breaks the contract: more than 16777216 bytes came back"].assert_eq(reason);
}

#[test]
fn a_leak_costs_an_instance_and_no_row() {
    let mut runner = runner_of(Filter, "leak");
    let batch = rows(&[1, 2, 3]);
    for _ in 0..20 {
        let outcome = runner.filter(&batch);
        assert_eq!((outcome.keep.count_set_bits(), outcome.refusals.len()), (2, 0));
    }
    let stats = runner.stats();
    assert_eq!((stats.instances, stats.traps), (3, 2));
    assert!(stats.memory_bytes <= limits().memory, "{stats:?}");
}

/// Native code that is too slow for more than 16 rows, for more than two in a hurry, and for −7, on every machine.
#[derive(Default)]
struct Slow {
    in_a_hurry: bool,
}

impl Code for Slow {
    fn instantiate(&self, _config: &[(String, String)]) -> Result<Instance, PluginError> {
        Ok(Instance::Filter(Box::new(Self::default())))
    }
}

impl Guest for Slow {
    fn hurry(&mut self, longest_nanos: Option<u64>) {
        self.in_a_hurry = longest_nanos.is_some();
    }
}

impl FilterGuest for Slow {
    fn filter(&mut self, rows: &RecordBatch) -> Result<FilterAnswer, PluginError> {
        let most = if self.in_a_hurry { 2 } else { 16 };
        let endless = rows.column(1).as_primitive::<Int64Type>().values().contains(&-7);
        if rows.num_rows() > most || endless {
            return Err(PluginError::Deadline { limit_ms: 200 });
        }
        Ok(FilterAnswer { keep: BooleanBuffer::new_set(rows.num_rows()), rejects: Vec::new() })
    }
}

#[test]
fn a_call_that_is_only_too_large_is_made_smaller_for_good() {
    let plugin = Plugin { code: Arc::new(Slow::default()), ..try_fit(Filter, "").unwrap().plugin };
    let mut runner = AnyRunner::new(&plugin, &CallLimits { rows: 64, ..limits() });
    let batch = rows(&[1; 64]);
    for _ in 0..2 {
        let outcome = runner.filter(&batch);
        assert_eq!((outcome.keep.count_set_bits(), outcome.refusals), (64, vec![]));
    }
    let stats = runner.stats();
    assert!(stats.deadlines > 0, "64 rows were too many for one call");
    let outcome = runner.filter(&batch);
    assert_eq!((outcome.keep.count_set_bits(), outcome.refusals), (64, vec![]));
    let made = runner.stats();
    assert_eq!((made.deadlines - stats.deadlines, made.calls - stats.calls), (0, 4));
}

#[test]
fn haste_in_the_search_for_a_guilty_row_condemns_no_other() {
    let plugin = Plugin { code: Arc::new(Slow::default()), ..try_fit(Filter, "").unwrap().plugin };
    let mut runner = AnyRunner::new(&plugin, &limits());
    let outcome = runner.filter(&rows(&[1, 3, 5, 7, 9, -7, 11, 15, 17, 19, 21, 23]));
    let refused: Vec<_> = outcome.refusals.iter().map(|it| (it.row, it.kind)).collect();
    assert_eq!(refused, [(5, RefusalKind::Deadline)]);
    assert_eq!(outcome.keep.count_set_bits(), 11);
}

#[test]
fn a_flood_of_log_lines_is_dropped_and_counted() {
    let mut runner = runner_of(Filter, "log-flood");
    assert_eq!(runner.filter(&rows(&[1, 2, 3])).keep.count_set_bits(), 2);
    assert_eq!(runner.stats().unheard, 100_000 - 16);
}

#[test]
fn a_flood_of_counters_is_dropped_and_counted() {
    let mut runner = runner_of(Filter, "count-flood");
    assert_eq!(runner.filter(&rows(&[1, 2, 3])).keep.count_set_bits(), 2);
    assert_eq!(runner.plugin().code.counters().len(), 32);
    assert_eq!(runner.stats().unheard, 100_000 - 32);
}

#[test]
fn counters_are_summed_over_calls_and_need_a_name() {
    let mut runner = runner_of(Filter, "count");
    runner.filter(&rows(&[1, 2, 3]));
    runner.filter(&rows(&[1, 2]));
    let counters = runner.plugin().code.counters();
    assert_eq!(counters.into_iter().collect::<Vec<_>>(), [("rows_seen".to_owned(), 5)]);

    let mut runner = runner_of(Filter, "bad-counter");
    runner.filter(&rows(&[1, 2, 3]));
    assert!(runner.plugin().code.counters().is_empty());
    assert_eq!(runner.stats().unheard, 1);
}

#[test]
fn init_that_refuses_is_told_in_the_plugins_own_words() {
    let error = try_fit(Filter, "init-error").unwrap_err();
    expect![[r#"stage `stage`: plugin `evil` refuses its configuration: `sin` is `init-error`; leave it out\n\u{1b}[31m"#]].assert_eq(&error.to_string());
}

#[test]
fn init_that_fails_is_a_fault() {
    expect!["stage `stage`: plugin `evil` fails at `init`: trap: wasm `unreachable` instruction executed; the plugin's last error: panicked: cannot start"].assert_eq(&try_fit(Map, "init-trap").unwrap_err().to_string());
    expect!["stage `stage`: plugin `evil` fails at `init`: deadline: the call used more than 300 ms of CPU time"].assert_eq(&hurried(Aggregate, "init-spin").unwrap_err().to_string());
}

#[test]
fn a_failed_update_leaves_no_trace() {
    let mut runner = runner_of(Aggregate, "trap");
    let batch = rows(&[1, -2, 3, 13, -5, 6]);
    let outcome = runner.update(&batch, &[0, 0, 1, 1, 1, 0], &empty_states(3));
    assert_eq!(hashes(&outcome.states), [hash_of([1, 6]), hash_of([3]), 0]);
    let refused: Vec<_> = outcome.refusals.iter().map(|it| (it.row, it.kind)).collect();
    assert_eq!(
        refused,
        [(1, RefusalKind::Trap), (3, RefusalKind::Rejected), (4, RefusalKind::Trap)]
    );
}
