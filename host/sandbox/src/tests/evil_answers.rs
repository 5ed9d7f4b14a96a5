//! One lie per test: every length, offset, index, bit and byte that a guest can get wrong.

use expect_test::{Expect, expect};

use super::{empty_states, rows, runner_of, window};
use sluicegate_model::module::PluginKind::{Aggregate, Filter, Map};
use sluicegate_model::refusal::RefusalKind;

/// Ten rows, all of them refused, because the guest lies whenever it is asked; the words are those for one row.
fn filter_lies(sin: &str, text: &Expect) {
    let outcome = runner_of(Filter, sin).filter(&rows(&[1]));
    assert_eq!(outcome.keep.count_set_bits(), 0);
    assert_eq!(outcome.refusals[0].kind, RefusalKind::Answer);
    text.assert_eq(&outcome.refusals[0].reason);
}

fn map_lies(sin: &str, text: &Expect) {
    let outcome = runner_of(Map, sin).map(&rows(&[1]));
    assert_eq!(outcome.batch.num_rows(), 0);
    assert_eq!(outcome.refusals[0].kind, RefusalKind::Answer);
    text.assert_eq(&outcome.refusals[0].reason);
}

fn update_lies(sin: &str, text: &Expect) {
    let given = empty_states(2);
    let outcome = runner_of(Aggregate, sin).update(&rows(&[1]), &[1], &given);
    assert_eq!(outcome.states, given);
    assert_eq!(outcome.refusals[0].kind, RefusalKind::Answer);
    text.assert_eq(&outcome.refusals[0].reason);
}

fn evaluate_lies(sin: &str, text: &Expect) {
    let windows = [window(0, 30)];
    let outcome = runner_of(Aggregate, sin).evaluate(&windows, &empty_states(1));
    assert_eq!(outcome.batch.num_rows(), 0);
    assert_eq!(outcome.refusals[0].kind, RefusalKind::Answer);
    text.assert_eq(&outcome.refusals[0].reason);
}

#[test]
fn a_bitmap_is_neither_short_nor_long() {
    filter_lies(
        "short-keep",
        &expect!["answer breaks the contract: bitmap `keep` has 0 bytes, 1 rows have 1"],
    );
    map_lies(
        "short-validity",
        &expect![
            "answer breaks the contract: column `b`: bitmap `validity` has 0 bytes, 2 rows have 1"
        ],
    );
}

#[test]
fn bits_beyond_the_rows_are_zero() {
    filter_lies(
        "stray-bits",
        &expect!["answer breaks the contract: bitmap `keep` has bits beyond its 1 rows"],
    );
    map_lies(
        "stray-validity",
        &expect![
            "answer breaks the contract: column `b`: bitmap `validity` has bits beyond its 2 rows"
        ],
    );
}

#[test]
fn rejects_are_rows_of_the_batch_in_order() {
    filter_lies(
        "reject-twice",
        &expect!["answer breaks the contract: rejects are not ascending: row 0 after row 0"],
    );
    filter_lies(
        "reject-beyond",
        &expect!["answer breaks the contract: row 1000000 is rejected, the batch has 1 rows"],
    );
    map_lies(
        "reject-with-rows",
        &expect!["answer breaks the contract: row 0 is rejected and has new rows all the same"],
    );
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let outcome = runner_of(Filter, "long-reason").filter(&rows(&[1, 3]));
    assert_eq!(outcome.refusals[0].reason, "é".repeat(512));
    assert_eq!(outcome.keep.set_indices().collect::<Vec<_>>(), [1]);
}

#[test]
fn columns_are_those_that_were_described() {
    map_lies(
        "missing-column",
        &expect!["answer breaks the contract: 7 columns came back, `describe` declares 8"],
    );
    map_lies(
        "wrong-type",
        &expect![
            "answer breaks the contract: column `i`: float64 values came back, int64 is declared"
        ],
    );
    map_lies(
        "short-column",
        &expect!["answer breaks the contract: column `i`: 1 values came back for 2 rows"],
    );
    map_lies(
        "required-null",
        &expect![
            "answer breaks the contract: column `i`: row 0 is null, the column is declared not nullable"
        ],
    );
    map_lies(
        "digits",
        &expect![
            "answer breaks the contract: column `m`: row 0: the unscaled value -9223372036854775808 has more than 18 digits"
        ],
    );
}

#[test]
fn offsets_divide_all_bytes_in_order() {
    map_lies(
        "offsets-begin",
        &expect!["answer breaks the contract: column `s`: `offsets` begins at 1 and not at 0"],
    );
    map_lies(
        "offsets-descend",
        &expect![
            "answer breaks the contract: column `s`: `offsets` goes back from 4294967295 to 10"
        ],
    );
    map_lies(
        "offsets-end",
        &expect![
            "answer breaks the contract: column `s`: `offsets` ends at 10, there are 11 bytes"
        ],
    );
    map_lies(
        "few-offsets",
        &expect![
            "answer breaks the contract: column `s`: `offsets` has 2 offsets, 2 values have one more"
        ],
    );
    update_lies(
        "few-states",
        &expect!["answer breaks the contract: `states` has 2 offsets, 2 values have one more"],
    );
    update_lies(
        "states-end",
        &expect!["answer breaks the contract: `states` ends at 16, there are 0 bytes"],
    );
}

#[test]
fn text_is_utf8() {
    map_lies("bad-utf8", &expect!["answer breaks the contract: column `s`: row 1 is not UTF-8"]);
}

#[test]
fn new_rows_come_from_rows_of_the_batch_in_order() {
    map_lies(
        "source-beyond",
        &expect!["answer breaks the contract: `source-rows` names 1000000, there are 1"],
    );
    map_lies(
        "few-sources",
        &expect!["answer breaks the contract: `source-rows` has 1 values for 2 rows"],
    );
    let outcome = runner_of(Map, "source-descends").map(&rows(&[1, 2, 3]));
    assert_eq!(outcome.source_rows, [0, 0, 1, 2, 2], "each row by itself is in order");
}

#[test]
fn results_belong_to_groups_that_were_asked_for() {
    evaluate_lies(
        "groups-beyond",
        &expect!["answer breaks the contract: `groups` names 1000000, there are 1"],
    );
}
