//! A thousand stories, and stories that must fail.

use super::*;

#[test]
fn whatever_dies_and_whenever_every_row_is_there_once() {
    let (mut kills, mut terms) = (0, 0);
    for seed in 0..1_000 {
        let story = run(seed, None);
        if let Some(fault) = &story.fault {
            panic!("{story}\nseed {seed}: {fault}");
        }
        kills += story.kills;
        terms += story.terms;
    }
    assert!(
        kills > 800 && terms > 1_200,
        "{kills} kills, {terms} terms: stories in which nothing happens"
    );
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

/// Of so many seeds one at least finds it.
fn is_found(mutation: Mutation, seeds: u64, fault: &str) {
    let faults = (0..seeds).filter_map(|seed| run(seed, Some(mutation)).fault);
    let found: Vec<String> = faults.take(1).collect();
    assert!(found.iter().any(|text| text.contains(fault)), "{mutation:?}: {found:?}");
}

#[test]
fn a_store_that_replaces_is_found() {
    is_found(Mutation::StoreReplaces, 50, "");
}

#[test]
fn clocks_that_do_not_count_suspend_are_found() {
    is_found(Mutation::ClocksSleep, 50, "believe to lead");
}
