//! Stores that are tried: the sound ones pass, once, and each flaw is found and named.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use sluicegate_testing::careless::{CarelessStore, Carelessness};

use crate::probe::{Effort, Flaw, ProbeError, ensure, ensure_tables, probe_and_remember};
use crate::{Backing, Location, StoreOptions, open};

const RACERS: usize = Effort::OF_A_SERVER.racers;

const ADDRESS: &str = "http://127.0.0.1:9000";

fn server(carelessness: Carelessness) -> (Arc<CarelessStore>, Location) {
    let store = Arc::new(CarelessStore::new(carelessness));
    let location = Location {
        store: Arc::clone(&store) as Arc<dyn ObjectStore>,
        url: "s3://bucket/prefix".to_owned(),
        backing: Backing::Server { address: Some(ADDRESS.to_owned()) },
        ..Location::in_memory()
    };
    (store, location)
}

async fn objects(location: &Location) -> Vec<String> {
    let listing = location.store.list(None);
    let objects: Vec<_> = listing.try_collect().await.unwrap();
    objects.into_iter().map(|object| object.location.to_string()).collect()
}

async fn flaw_of(carelessness: Carelessness) -> Flaw {
    let (_, location) = server(carelessness);
    match ensure(&location).await.unwrap_err() {
        ProbeError::Unsound { flaw, .. } => flaw,
        error @ ProbeError::Store { .. } => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_sound_store_is_tried_once_and_known_by_one_read_from_then_on() {
    let (store, location) = server(Carelessness::None);
    let passed = ensure(&location).await.unwrap().expect("it was not known");
    assert_eq!((passed.rounds, passed.racers, passed.requests), (8, 32, 528));
    assert_eq!(objects(&location).await, ["probe/passed-1"], "its objects are gone");
    let before = store.requests();
    assert_eq!(ensure(&location).await.unwrap(), None);
    assert_eq!(store.requests() - before, 1);
}

#[tokio::test]
async fn the_same_bucket_behind_another_server_is_tried_again() {
    let (_, location) = server(Carelessness::None);
    assert!(ensure(&location).await.unwrap().is_some());
    let backing = Backing::Server { address: None };
    let elsewhere = Location { backing, ..location.clone() };
    assert!(ensure(&elsewhere).await.unwrap().is_some());
    assert!(ensure(&elsewhere).await.unwrap().is_none());
    assert!(ensure(&location).await.unwrap().is_none(), "nor is the first address forgotten");
}

#[tokio::test]
async fn each_flaw_is_found_and_named() {
    let many_winners = |ignores| Flaw::ManyWinners { winners: RACERS, racers: RACERS, ignores };
    let flaws = [
        (Carelessness::IgnoresConditions, many_winners(true)),
        (Carelessness::LooksFirst, many_winners(false)),
        (Carelessness::RefusesAndWrites, Flaw::Changes),
        (Carelessness::NeverSaysSo, Flaw::NoWinner { racers: RACERS }),
        (Carelessness::ListsNothing, Flaw::NotListed),
        (Carelessness::IgnoresOffsets, Flaw::ListsFromTheStart),
        (Carelessness::KeepsTheDeleted, Flaw::Undead),
    ];
    for (carelessness, flaw) in flaws {
        assert_eq!(flaw_of(carelessness).await, flaw, "{carelessness:?}");
    }
}

#[tokio::test]
async fn answers_that_were_lost_are_no_flaw() {
    for count in [1, RACERS - 1, RACERS, 3 * RACERS] {
        let (_, location) = server(Carelessness::LosesAnswers(count));
        assert!(ensure(&location).await.unwrap().is_some(), "{count} lost");
    }
}

#[tokio::test]
async fn conflicts_that_pass_are_no_flaw() {
    for count in [1, RACERS - 1, RACERS, 3 * RACERS] {
        let (_, location) = server(Carelessness::Conflicts(count));
        assert!(ensure(&location).await.unwrap().is_some(), "{count} conflicts");
    }
}

/// A network that loses every answer looks the same, so whoever waits for the store tries it again.
#[tokio::test]
async fn a_store_where_nobody_wins_is_tried_again_and_one_that_is_proven_wrong_is_not() {
    for carelessness in [Carelessness::NeverSaysSo, Carelessness::Conflicts(usize::MAX)] {
        let (_, location) = server(carelessness);
        assert!(ensure(&location).await.unwrap_err().may_pass(), "{carelessness:?}");
    }
    for carelessness in [Carelessness::LooksFirst, Carelessness::KeepsTheDeleted] {
        let (_, location) = server(carelessness);
        assert!(!ensure(&location).await.unwrap_err().may_pass(), "{carelessness:?}");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_refused_in_a_sentence_and_nothing_stays_in_it() {
    let (_, location) = server(Carelessness::IgnoresConditions);
    let error = ensure(&location).await.unwrap_err();
    assert!(!error.may_pass());
    let sentence = "the store at s3://bucket/prefix cannot keep results exactly once: 32 of 32 creates of one object \
         at a time succeeded; it ignores `If-None-Match: *`; name a place in a store that creates an object once \
         only (S3, Google Cloud Storage, Azure, a local directory), or update the server, and try it with \
         `sluicegate store probe s3://bucket/prefix`";
    assert_eq!(error.to_string(), sentence);
    assert_eq!(objects(&location).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_store_that_passed_and_fails_now_is_not_remembered() {
    let (_, sound) = server(Carelessness::None);
    let (_, location) = server(Carelessness::IgnoresConditions);
    assert!(ensure(&sound).await.unwrap().is_some());
    let passed = object_store::path::Path::from("probe/passed-1");
    let known = sound.store.get_opts(&passed, object_store::GetOptions::default()).await.unwrap();
    let known = known.bytes().await.unwrap();
    let put = location.store.put_opts(&passed, known.into(), object_store::PutOptions::default());
    put.await.unwrap();
    assert_eq!(ensure(&location).await.unwrap(), None, "it is taken at its word");
    probe_and_remember(&location, Effort { rounds: 1, racers: 2 }).await.unwrap_err();
    assert_eq!(objects(&location).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_denial_is_no_flaw() {
    let (_, location) = server(Carelessness::Denies);
    let error = ensure(&location).await.unwrap_err();
    assert!(error.may_pass());
    assert!(error.to_string().contains("rights to list, read, write and delete"), "{error}");
}

#[tokio::test]
async fn a_directory_passes_with_one_small_round() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions::default();
    let location = open(folder.path().to_str().unwrap(), &options).unwrap();
    let passed = ensure(&location).await.unwrap().expect("it was not known");
    assert_eq!((passed.rounds, passed.racers, passed.requests), (1, 8, 25));
    assert_eq!(ensure(&location).await.unwrap(), None);
}

/// The chain lies elsewhere, and its store remembers.
#[tokio::test]
async fn the_store_of_a_table_is_tried_once_whatever_tables_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let chain = open(folder.path().to_str().unwrap(), &StoreOptions::default()).unwrap();
    let (store, table) = server(Carelessness::None);
    let tables = [table.child("revenue"), table.child("dead")];
    ensure(&chain).await.unwrap();
    ensure_tables(&chain, &tables).await.unwrap();
    assert!(store.requests() > Effort::OF_A_SERVER.rounds as usize * RACERS);
    assert_eq!(objects(&table).await, Vec::<String>::new(), "readers of the table find nothing");
    let requests = store.requests();
    ensure_tables(&chain, &tables).await.unwrap();
    assert_eq!(store.requests(), requests);
    assert_eq!(ensure(&chain).await.unwrap(), None, "nor is the chain's forgotten");
}

#[tokio::test]
async fn a_table_in_a_careless_store_is_refused_beside_a_chain_in_a_sound_one() {
    let folder = tempfile::tempdir().unwrap();
    let chain = open(folder.path().to_str().unwrap(), &StoreOptions::default()).unwrap();
    let (_, table) = server(Carelessness::IgnoresConditions);
    ensure(&chain).await.unwrap();
    let error = ensure_tables(&chain, [&table]).await.unwrap_err();
    assert!(!error.may_pass());
    assert!(error.to_string().contains("the store at s3://bucket/prefix cannot"), "{error}");
    assert_eq!(ensure(&chain).await.unwrap(), None, "the chain's store is none the worse");
}

#[tokio::test]
async fn tables_beside_the_chain_are_not_tried_again() {
    let (store, place) = server(Carelessness::None);
    ensure(&place.child("chain")).await.unwrap();
    let requests = store.requests();
    ensure_tables(&place.child("chain"), [&place.child("table")]).await.unwrap();
    assert_eq!(store.requests(), requests);
}

#[tokio::test]
async fn what_is_in_memory_is_not_tried() {
    let location = Location::in_memory();
    assert_eq!(ensure(&location).await.unwrap(), None);
    assert_eq!(objects(&location).await, Vec::<String>::new());
}
