//! Whose table it is (T7): every order of steps of hosts that open chains over the same tables. It drives [`crate::claim`] and
//! [`crate::decide`] themselves.
//!
//! In every state: whoever adds has the table at that version; two chains add only where somebody has released the table
//! between them, or one was forgotten for the other; no epoch is added twice; who reads records has had the tables; nobody
//! is refused for a chain of its own place. Where nobody works, some chain can have all tables, and after a `reset` the
//! chain of that file can.

mod logs;
mod world;

use sluicegate_testing::search::{Found, search};

use world::{Bounds, Without, start};

/// Two chains in two places, one table, and a reset of one of the files: it makes no difference of which.
const RIVALS: Bounds = Bounds {
    without: Without::Nothing,
    tables: 1,
    hosts: &[0, 1],
    starts: &[2, 2],
    epochs: 1,
    resets: 1,
    files: &[Some(0)],
    misfortunes: 1,
};

/// Two hosts in one place, one of which sleeps while the chain is reset.
const SLEEPERS: Bounds = Bounds { hosts: &[0, 0], starts: &[1, 2], ..RIVALS };

/// Two chains that begin at the same time, and two tables.
const TABLES: Bounds = Bounds { tables: 2, resets: 0, ..RIVALS };

/// The table comes and goes while a chain runs.
const RELEASED: Bounds = Bounds { starts: &[1, 1], epochs: 2, resets: 2, misfortunes: 0, ..RIVALS };

fn check(bounds: Bounds, without: Without) -> Found {
    let found = search(start(Bounds { without, ..bounds }));
    println!("{without:?}: {found:#?}");
    found
}

#[test]
fn of_two_chains_the_one_that_has_the_table_adds_to_it() {
    check(RIVALS, Without::Nothing).assert_safe(239_000);
}

#[test]
fn a_sleeper_whose_chain_was_reset_adds_nothing_behind_the_next_chain() {
    check(SLEEPERS, Without::Nothing).assert_safe(135_000);
}

#[test]
fn of_two_chains_that_want_the_same_tables_one_gets_all() {
    check(TABLES, Without::Nothing).assert_safe(24_000);
}

#[test]
fn a_chain_whose_table_comes_and_goes_adds_when_it_has_it() {
    check(RELEASED, Without::Nothing).assert_safe(25_000);
}

#[test]
fn a_chain_that_does_not_look_whose_the_table_is_adds_to_anothers() {
    check(RIVALS, Without::Checking).assert_violation("a table that it does not have");
}

#[test]
fn what_was_decided_of_an_older_version_adds_to_anothers() {
    check(RELEASED, Without::AskingAgain).assert_violation("a table that it does not have");
}

#[test]
fn a_take_that_replaces_gives_the_table_to_two() {
    check(RIVALS, Without::CreateOnly).assert_violation("has never had the table");
}

#[test]
fn a_take_that_came_too_late_and_counts_gives_the_table_to_two() {
    check(RIVALS, Without::Comparing).assert_violation("has never had the table");
}

#[test]
fn records_that_are_read_before_the_take_are_of_a_chain_that_may_be_refused() {
    check(RIVALS, Without::TakingFirst).assert_violation("has never had the table");
}

#[test]
fn a_table_taken_before_the_genesis_is_of_a_chain_that_nobody_knows() {
    check(RIVALS, Without::Genesis).assert_violation("no chain gets all tables");
}

#[test]
fn a_reset_that_does_not_release_leaves_the_table_to_nobody() {
    check(RIVALS, Without::Releasing).assert_violation("a reset gives the tables to nobody");
}

#[test]
fn a_reset_of_another_pipeline_that_releases_lets_two_chains_add() {
    check(Bounds { files: &[None], ..RIVALS }, Without::Belonging)
        .assert_violation("a second chain adds");
}

#[test]
fn a_chain_that_does_not_know_who_was_forgotten_is_refused_for_it() {
    check(SLEEPERS, Without::Forgotten).assert_violation("no chain gets all tables");
}

#[test]
fn a_chain_that_asks_too_early_who_was_forgotten_is_refused_for_it() {
    check(SLEEPERS, Without::AskingInTime).assert_violation("of its own place");
}

#[test]
fn who_is_refused_and_goes_on_keeps_the_next_table_from_all() {
    check(TABLES, Without::Stopping).assert_violation("no chain gets all tables");
}

#[test]
fn a_chain_that_does_not_look_again_never_adds_to_what_was_released() {
    check(RELEASED, Without::LookingAgain).assert_violation("adds no more");
}
