//! What lands late and what losers leave; beginnings beside data files; resets of lanes that run; blobs that go.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, ListResult, ObjectMeta, Result};

use super::super::beat::BEAT_EVERY;
use super::super::collect::Deleted;
use super::super::lead::claim::{Claim, LeadTerm, Sign};
use super::super::lead::store::{Attempt, LeadStore};
use super::super::presence::{PATIENCE_MIN, Presence, presence};
use super::super::retire::{Recent, retire};
use super::super::store::LaneStore;
use super::super::sweep::{is_of_chain, sweep};
use super::super::{inspect, resolve};
use super::*;
use sluicegate_model::time::EventTime;
use sluicegate_testing::held::HeldStore;
use sluicegate_testing::passes_on;

/// A put that was under way when its process was killed lands when the chain is beyond the look-back.
#[test]
fn a_data_file_that_lands_when_the_chain_is_far_ahead_is_still_removed() {
    let runtime = runtime();
    let store = Arc::new(HeldStore::new(Arc::new(InMemory::new())));
    let storage = storage(Arc::clone(&store) as Arc<dyn ObjectStore>);
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    let mut killed = spawn(&runtime, &storage, runtime.block_on(open(&storage, INSTANCE)).unwrap());
    store.hold("table/");
    killed.submit(epoch_of(2));
    runtime.block_on(store.is_held());
    drop(killed);

    let count = resolve::LOOK_BACK as i64 + 10;
    assert_eq!(live(&runtime, &storage, count), Ended::Done);
    runtime.block_on(store.land()).1.unwrap();
    assert_eq!(table(&runtime, &storage).len() as i64, count + 1, "its rows are there twice");
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    assert_eq!(opened.orphans_deleted, 0, "nobody works while a lane is opened: that is for later");
    let chain = opened.head.as_ref().unwrap().chain.clone();
    assert_eq!(runtime.block_on(sweep(&storage, &lane_of(&runtime, &storage), &chain)).unwrap(), 1);
    assert_each_number_once(&runtime, &storage, count, "beyond the look-back");
}

/// Which files a sweep may take is told by who wrote which epochs: many writers of a few epochs each.
#[test]
fn a_sweep_takes_files_outside_of_their_writers_epochs_and_no_others() {
    let (runtime, storage) = new_lane();
    let mut records = BTreeSet::new();
    for count in 1..=20 {
        assert_eq!(live(&runtime, &storage, count * 4), Ended::Done);
    }
    let latest = runtime.block_on(inspect::latest(&storage)).unwrap().unwrap();
    let mut writers = BTreeSet::new();
    for epoch in 1..=latest.0 {
        let record = runtime.block_on(inspect::record(&storage, Epoch(epoch))).unwrap().unwrap();
        writers.insert((record.term.0, record.writer.nonce.clone()));
        records.insert(record.files[0].path.rsplit('/').next().unwrap().to_owned());
    }
    assert_eq!(writers.len(), 20);
    let chain = runtime.block_on(inspect::record(&storage, latest)).unwrap().unwrap().chain;
    let location = &storage.tables["numbers"];
    let mut strays = 0;
    let strangers = [(7, "fedcba987654".to_owned()), (99, "0123456789ab".to_owned())];
    for (term, nonce) in writers.iter().cloned().chain(strangers) {
        for epoch in [1, 2, 11, 12, 13, latest.0] {
            let name = format!("toy.0-{chain}-{epoch:020}-{term}-{nonce}-0.parquet");
            if !records.contains(&name) {
                let of_values = format!("epochs/toy.0-{chain}-{epoch:020}/store=a%2Fb/");
                let folder = ["", "date=2026-11-21/", &of_values][strays % 3];
                let path = location.path(&format!("{folder}{name}"));
                runtime.block_on(location.store.put(&path, "7".into())).unwrap();
                strays += 1;
            }
        }
    }
    let undecided = format!("toy.0-{chain}-{:020}-9-abcdefabcdef-0.parquet", latest.0 + 1);
    runtime.block_on(location.store.put(&location.path(&undecided), "7".into())).unwrap();
    let deleted = runtime.block_on(sweep(&storage, &lane_of(&runtime, &storage), &chain)).unwrap();
    assert_eq!(deleted, strays);
    assert_eq!(table(&runtime, &storage).len(), records.len() + 1, "the undecided one stays");
    assert_eq!(runtime.block_on(open(&storage, INSTANCE)).unwrap().orphans_deleted, 1);
    assert_each_number_once(&runtime, &storage, 80, "after the sweep");
}

/// It was away for so long that it was taken for dead, and does not know yet.
#[test]
fn an_owner_whose_chain_was_forgotten_deletes_nothing_that_was_kept() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 3), Ended::Done);
    let latest = runtime.block_on(inspect::latest(&storage)).unwrap().unwrap();
    let chain = runtime.block_on(inspect::record(&storage, latest)).unwrap().unwrap().chain;
    runtime.block_on(forget(&storage, DataFiles::Keep)).unwrap();
    assert_eq!(live(&runtime, &storage, 5), Ended::Done);
    let kept = table(&runtime, &storage);
    assert_eq!(runtime.block_on(sweep(&storage, &lane_of(&runtime, &storage), &chain)).unwrap(), 0);
    assert_eq!(table(&runtime, &storage), kept);
    assert!(
        !runtime
            .block_on(is_of_chain(
                &LaneStore::new(&storage.chain, &storage.job, &storage.lane),
                latest,
                &chain
            ))
            .unwrap()
    );
}

#[test]
fn a_loser_of_a_slot_removes_what_it_put() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let mut loser = spawn(&runtime, &storage, runtime.block_on(open(&storage, INSTANCE)).unwrap());
    assert_eq!(live(&runtime, &storage, 2), Ended::Done);
    loser.submit(epoch_of(1));
    assert!(matches!(loser.wait(LONG), Some(CommitOutcome::Lost(_))));
    assert_eq!(table(&runtime, &storage), [0, 1], "before anybody opens the lane");
    assert_eq!(runtime.block_on(footprint(&storage)).unwrap().states, 2);
}

#[test]
fn a_chain_that_is_gone_is_not_begun_anew_beside_its_files_until_somebody_says_so() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 3), Ended::Done);
    let mistyped = LaneStorage { chain: storage.chain.child("typo"), ..storage.clone() };
    let error = runtime.block_on(open(&mistyped, INSTANCE)).unwrap_err();
    assert!(matches!(error, ChainError::Beside { files: 3, .. }), "{error}");
    assert!(!error.may_pass());
    assert!(error.to_string().contains("sluicegate reset"), "{error}");
    runtime.block_on(inspect::check_begin(&mistyped)).unwrap_err();
    runtime.block_on(inspect::check_begin(&storage)).unwrap();

    runtime.block_on(forget(&mistyped, DataFiles::Keep)).unwrap();
    assert_eq!(live(&runtime, &mistyped, 1), Ended::Done);
    assert_eq!(table(&runtime, &storage), [0, 0, 1, 2]);
    // It was said once.
    let slots = runtime.block_on(LaneStore::new(&mistyped.chain, "toy", "0").list("chain"));
    for slot in slots.unwrap() {
        runtime.block_on(mistyped.chain.store.delete(&slot.location)).unwrap();
    }
    runtime.block_on(open(&mistyped, INSTANCE)).unwrap_err();
}

#[test]
fn a_reset_deletes_the_files_of_its_own_chains_and_others_only_if_told_so() {
    let (runtime, ours) = new_lane();
    let theirs = LaneStorage { chain: ours.chain.child("elsewhere"), ..ours.clone() };
    assert_eq!(live(&runtime, &ours, 2), Ended::Done);
    runtime.block_on(forget(&theirs, DataFiles::Keep)).unwrap();
    assert_eq!(live(&runtime, &theirs, 3), Ended::Done);
    // A life before the last one.
    runtime.block_on(forget(&theirs, DataFiles::Keep)).unwrap();
    assert_eq!(live(&runtime, &theirs, 1), Ended::Done);
    let found = runtime.block_on(footprint(&theirs)).unwrap();
    assert_eq!((found.data_files, found.other_files), (4, 2));
    runtime.block_on(forget(&theirs, DataFiles::DeleteOwn)).unwrap();
    assert_eq!(table(&runtime, &ours), [0, 1]);
    assert_each_number_once(&runtime, &ours, 2, "another chain was forgotten");
    runtime.block_on(forget(&theirs, DataFiles::DeleteAll)).unwrap();
    assert_eq!(table(&runtime, &ours), [0; 0]);
}

#[test]
fn a_lane_that_runs_is_seen_though_it_commits_nothing_and_one_that_has_ended_is_not() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let (handle, every) = (runtime.handle().clone(), Duration::from_millis(20));
    let (clock, chain) = (Clock::system(), opened.chain);
    let mut owner = Committer::spawn_beating(
        handle,
        chain,
        storage.clone(),
        clock,
        Arc::default(),
        Some(every),
    );
    let looked = runtime.spawn({
        let storage = storage.clone();
        async move { presence(&storage, LONG).await }
    });
    while !looked.is_finished() {
        assert!(owner.try_take().is_none());
        std::thread::yield_now();
    }
    let found = runtime.block_on(looked).unwrap().unwrap();
    assert_eq!(found, Some(Presence::Beats(INSTANCE.to_owned())));
    owner.release();
    // It does not take its patience.
    assert_eq!(runtime.block_on(presence(&storage, LONG * 60)).unwrap(), None);
}

/// A commit that waits for the store keeps its committer from beating.
#[test]
fn a_leader_whose_commit_waits_is_seen_by_the_sign_of_its_term_until_it_releases_it() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let leads = LeadStore::new(&storage);
    let claim = Claim {
        term: LeadTerm::FIRST,
        instance: INSTANCE.to_owned(),
        nonce: "n".to_owned(),
        ttl_ms: 15_000,
        url: None,
        process: None,
        file: None,
        at: EventTime(0),
    };
    assert!(matches!(runtime.block_on(leads.try_win(&claim)), Attempt::Won));
    let sign = |count, released| {
        let sign = Sign { released, ending: released, ..Sign::of_life(&claim, count) };
        runtime.block_on(async {
            leads.put_sign(claim.term, &sign, None, LONG).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        });
    };
    let looked = runtime.spawn({
        let storage = storage.clone();
        async move { presence(&storage, LONG).await }
    });
    let mut count = 0;
    while !looked.is_finished() {
        count += 1;
        sign(count, false);
    }
    let found = runtime.block_on(looked).unwrap().unwrap();
    assert_eq!(found, Some(Presence::Beats(INSTANCE.to_owned())));
    sign(count + 1, true);
    assert_eq!(runtime.block_on(presence(&storage, LONG * 60)).unwrap(), None);
}

#[test]
fn a_place_where_nobody_ever_was_is_not_waited_for() {
    let (runtime, storage) = new_lane();
    assert_eq!(runtime.block_on(presence(&storage, LONG * 60)).unwrap(), None);
}

#[test]
fn what_is_committed_while_a_lane_is_forgotten_goes_too() {
    let runtime = runtime();
    let store = Arc::new(HeldStore::new(Arc::new(InMemory::new())));
    let storage = storage(Arc::clone(&store) as Arc<dyn ObjectStore>);
    assert_eq!(live(&runtime, &storage, 3), Ended::Done);
    store.hold(paths::MARK_FOLDER);
    let forgotten = runtime.spawn({
        let storage = storage.clone();
        async move { forget(&storage, DataFiles::DeleteOwn).await }
    });
    runtime.block_on(store.is_held());
    assert_eq!(live(&runtime, &storage, 4), Ended::Done);
    runtime.block_on(store.land_and_go_on()).1.unwrap();
    runtime.block_on(forgotten).unwrap().unwrap();
    assert_eq!(runtime.block_on(footprint(&storage)).unwrap(), Footprint::default());
}

/// An older version does not beat, but its chain moves.
#[test]
fn a_chain_that_moves_while_one_looks_has_an_owner() {
    let (runtime, storage) = new_lane();
    assert_eq!(live(&runtime, &storage, 1), Ended::Done);
    let looked = runtime.spawn({
        let storage = storage.clone();
        async move { presence(&storage, LONG).await }
    });
    let mut count = 1;
    while !looked.is_finished() {
        count += 1;
        assert_eq!(live(&runtime, &storage, count), Ended::Done);
    }
    let found = runtime.block_on(looked).unwrap().unwrap();
    assert!(matches!(found, Some(Presence::Moved(epoch)) if epoch.0 <= count as u64), "{found:?}");
    assert_eq!(runtime.block_on(presence(&storage, Duration::from_millis(1))).unwrap(), None);
    assert!(PATIENCE_MIN > BEAT_EVERY * 2);
}

#[test]
fn states_and_outboxes_behind_the_look_back_go_and_what_a_record_names_stays() {
    let (runtime, storage) = new_lane();
    let count = resolve::LOOK_BACK as i64 + 40;
    assert_eq!(live(&runtime, &storage, count), Ended::Done);
    let store = LaneStore::new(&storage.chain, "toy", "0");
    let states = || runtime.block_on(footprint(&storage)).unwrap().states;
    assert_eq!(states(), count as u64, "one an epoch");
    // A stranger's name stays.
    let stranger = store.folder.path("state/by-hand.bin");
    runtime.block_on(storage.chain.store.put(&stranger, "x".into())).unwrap();

    let opened = runtime.block_on(open(&storage, INSTANCE)).unwrap();
    let recent: Recent = opened.chain.recent.clone();
    assert!(
        !runtime.block_on(retire(&store, &recent, &Deleted::default())).unwrap(),
        "nothing is left for another page"
    );
    assert_eq!(states(), resolve::LOOK_BACK as u64 + 1);
    assert_each_number_once(&runtime, &storage, count, "old states are gone");

    // Nothing but fences for a while: they name an old state.
    let mut recent = Recent::of(resolve::LOOK_BACK);
    let head = opened.head.unwrap();
    for epoch in 0..500 {
        let epoch = Epoch(head.epoch.0 + epoch);
        recent.push(&record::ChainRecord { epoch, ..head.clone() });
    }
    runtime.block_on(retire(&store, &recent, &Deleted::default())).unwrap();
    let named = head.state.unwrap().pieces.len() as u64;
    assert_eq!(states(), named + 1, "those that are named, and the stranger's");
    assert_each_number_once(&runtime, &storage, count, "the head has its state");
    assert!(recent.epochs_at_once() < resolve::LOOK_BACK as u64);
}

/// A chain that shows itself when a table is listed for the first time.
#[derive(Debug)]
struct BegunMeanwhile {
    inner: InMemory,
    is_there: AtomicBool,
}

impl BegunMeanwhile {
    fn hides(&self, path: &Path) -> bool {
        if path.as_ref().starts_with("table") {
            self.is_there.store(true, Ordering::Relaxed);
        }
        path.as_ref().starts_with("chain") && !self.is_there.load(Ordering::Relaxed)
    }
}

impl fmt::Display for BegunMeanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("begun meanwhile")
    }
}

#[async_trait]
impl ObjectStore for BegunMeanwhile {
    passes_on!(inner: put_opts, put_multipart_opts, delete_stream, copy_opts);

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        match self.hides(path) {
            true => InMemory::new().get_opts(path, options).await,
            false => self.inner.get_opts(path, options).await,
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match prefix.is_some_and(|prefix| self.hides(prefix)) {
            true => futures::stream::empty().boxed(),
            false => self.inner.list(prefix),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match prefix.is_some_and(|prefix| self.hides(prefix)) {
            true => futures::stream::empty().boxed(),
            false => self.inner.list_with_offset(prefix, offset),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match prefix.is_some_and(|prefix| self.hides(prefix)) {
            true => InMemory::new().list_with_delimiter(None).await,
            false => self.inner.list_with_delimiter(prefix).await,
        }
    }
}

/// Its files are its own and no leftovers of a chain that is gone.
#[test]
fn a_chain_that_begins_while_a_table_is_listed_is_seen() {
    let looks: [fn(&Runtime, &LaneStorage); 2] = [
        |runtime, storage| {
            let survey = runtime.block_on(Opener::new(storage, INSTANCE).survey()).unwrap();
            assert_eq!(survey.head().map(|head| head.epoch), Some(Epoch(3)));
        },
        |runtime, storage| runtime.block_on(inspect::check_begin(storage)).unwrap(),
    ];
    for look in looks {
        let runtime = runtime();
        let store = BegunMeanwhile { inner: InMemory::new(), is_there: AtomicBool::new(true) };
        let store = Arc::new(store);
        let storage = storage(Arc::clone(&store) as Arc<dyn ObjectStore>);
        assert_eq!(live(&runtime, &storage, 3), Ended::Done);
        store.is_there.store(false, Ordering::Relaxed);
        look(&runtime, &storage);
    }
}
