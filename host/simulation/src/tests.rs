//! A thousand stories, and stories that must fail.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use super::*;

/// On all cores: stories know nothing of each other.
#[test]
fn whatever_dies_and_whenever_every_row_is_there_once() {
    const SEEDS: u64 = 1_000;
    let next = AtomicU64::new(0);
    let tell = || {
        let seeds = std::iter::repeat_with(|| next.fetch_add(1, Relaxed));
        let stories = seeds.take_while(|seed| *seed < SEEDS).map(|seed| {
            let story = run(seed, None);
            if let Some(fault) = &story.fault {
                panic!("{story}\nseed {seed}: {fault}");
            }
            (story.kills, story.terms, story.merges, story.refused)
        });
        stories.fold((0, 0, 0, 0), add)
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (kills, terms, merges, refused) = thread::scope(|scope| {
        let told: Vec<_> = (0..cores).map(|_| scope.spawn(tell)).collect();
        told.into_iter().map(|told| told.join().unwrap()).fold((0, 0, 0, 0), add)
    });
    assert!(
        kills > 800 && terms > 1_200 && merges > 100 && refused > 300,
        "{kills} kills, {terms} terms, {merges} merges, {refused} refused: stories in which nothing happens"
    );
}

type Counts = (usize, u64, u64, usize);

fn add(sum: Counts, one: Counts) -> Counts {
    (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2, sum.3 + one.3)
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in [3, 17, 99] {
        let (one, other) = (run(seed, None), run(seed, None));
        let differs = one.events.iter().zip(&other.events).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.events.len(), other.events.len());
    }
}

/// Of so many seeds one at least finds it, and what it says has that text.
fn is_found(mutation: Mutation, seeds: u64, fault: &str) {
    let found = (0..seeds).find_map(|seed| Some((seed, run(seed, Some(mutation)).fault?)));
    println!("{mutation:?}: {:?}", found.as_ref());
    let is_it = found.as_ref().is_some_and(|(_, text)| text.contains(fault));
    assert!(is_it, "{mutation:?}: {found:?}");
}

#[test]
fn a_store_that_replaces_is_found() {
    is_found(Mutation::StoreReplaces, 50, "");
}

#[test]
fn a_store_that_answers_before_it_shows_is_found() {
    is_found(Mutation::AnswersEarly, 50, "");
}

#[test]
fn a_record_that_was_not_answered_and_is_taken_for_committed_is_found() {
    is_found(Mutation::UnansweredIsPut, 100, "");
}

#[test]
fn a_record_that_was_not_answered_and_is_taken_for_refused_is_found() {
    is_found(Mutation::UnansweredIsRefused, 100, "");
}

#[test]
fn an_opening_without_a_fence_is_found() {
    is_found(Mutation::UndecidedIsDeleted, 100, "which is not there");
}

#[test]
fn clocks_that_do_not_count_suspend_are_found() {
    is_found(Mutation::ClocksSleep, 200, "believe to lead");
}

#[test]
fn a_leader_that_never_doubts_is_found() {
    is_found(Mutation::NeverDoubts, 200, "believe to lead");
}

#[test]
fn processes_that_look_gone_are_found() {
    is_found(Mutation::ProcessesLookGone, 50, "believe to lead");
}

#[test]
fn a_part_that_was_not_answered_and_is_taken_for_sent_is_found() {
    is_found(Mutation::UnansweredPartIsPut, 100, "");
}

#[test]
fn an_old_piece_of_state_that_goes_although_it_is_named_is_found() {
    is_found(Mutation::OldPieceGoes, 100, "which is gone");
}

#[test]
fn an_owner_that_slept_and_deletes_what_it_does_not_know_is_found() {
    is_found(Mutation::UnknownPieceGoes, 300, "which is gone");
}

#[test]
fn tables_that_name_no_chain_are_found() {
    is_found(Mutation::TablesNameNobody, 50, "two chains read");
}
