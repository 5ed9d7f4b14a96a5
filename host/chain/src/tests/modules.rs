//! Old modules beside chains: what goes, in how many passes, what chains keep, and what keeps everything.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use object_store::memory::InMemory;

use super::*;
use crate::modules::{ModuleKeep, ModuleStore, ModuleStoreError, Pruned, Retention, VersionChoice};
use crate::record::PinnedModule;
use sluicegate_model::module::ModuleDigest;
use sluicegate_model::time::EventTime;
use sluicegate_store::Location;

/// Everything beyond the two newest is old at once.
const AT_ONCE: Retention = Retention { newest: 2, age: Duration::ZERO, settle: Duration::ZERO };

/// The store's time, which goes on.
const NOW: EventTime = EventTime(i64::MAX);

fn keep(lane: &LaneStorage) -> ModuleKeep {
    ModuleKeep { store: ModuleStore::new(lane.chain.clone()), retention: AT_ONCE }
}

async fn upload(modules: &ModuleStore, name: &str, bytes: &'static str) -> ModuleDigest {
    modules.put(name, Bytes::from(bytes)).await.unwrap().digest
}

async fn numbers(modules: &ModuleStore, name: &str) -> Vec<u64> {
    let all = modules.list().await.unwrap();
    all.into_iter().filter(|version| version.name == name).map(|version| version.number).collect()
}

/// Passes until one finds nothing to delete, and what they deleted.
async fn prune(keep: &ModuleKeep) -> (u64, u64) {
    let mut all = (0, 0);
    // One for the versions, one for the tombstones, one for the bytes.
    for _ in 0..3 {
        let pruned = keep.prune(NOW).await.unwrap();
        all = (all.0 + pruned.versions, all.1 + pruned.modules);
    }
    all
}

/// A chain whose stage runs one module after the other.
fn run(runtime: &Runtime, lane: &LaneStorage, modules: &[ModuleDigest]) {
    let opened = runtime.block_on(open(lane, INSTANCE)).unwrap();
    let (handle, clock) = (runtime.handle().clone(), Clock::system());
    let begin = opened.head.is_none().then(genesis);
    let mut committer = Committer::spawn(handle, opened.chain, lane.clone(), clock, Arc::default());
    let pinned = modules.iter().map(|digest| {
        let (stage, name) = ("sum".to_owned(), "a".to_owned());
        let pinned = PinnedModule { stage, name, digest: *digest, generation: 1, state_version: 0 };
        FrozenEpoch { kind: RecordKind::Data, modules: vec![pinned], ..genesis() }
    });
    for epoch in begin.into_iter().chain(pinned) {
        committer.submit(epoch);
        let outcome = committer.wait(LONG).unwrap();
        assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    }
}

#[test]
fn old_versions_go_then_their_bytes_and_the_newest_stay() {
    let (runtime, lane) = (runtime(), storage(Arc::new(InMemory::new())));
    let keep = keep(&lane);
    runtime.block_on(async {
        let modules = &keep.store;
        let first = upload(modules, "a", "1").await;
        for bytes in ["2", "3", "4"] {
            upload(modules, "a", bytes).await;
        }
        let other = upload(modules, "b", "2").await;
        let pruned = keep.prune(NOW).await.unwrap();
        assert_eq!(pruned, Pruned { versions: 2, ..Pruned::default() });
        assert_eq!(numbers(modules, "a").await, [3, 4]);
        assert!(modules.get(&first).await.is_ok(), "whoever has just found it reads it yet");
        assert_eq!(prune(&keep).await, (0, 1));
        let gone = modules.get(&first).await.unwrap_err();
        assert!(matches!(gone, ModuleStoreError::Store { .. }), "{gone}");
        assert!(modules.get(&other).await.is_ok(), "it has another name yet");
        assert_eq!(prune(&keep).await, (0, 0), "nothing is left to do");
    });
}

#[test]
fn a_module_that_is_uploaded_again_does_not_lie_where_a_deletion_may_land() {
    let (runtime, lane) = (runtime(), storage(Arc::new(InMemory::new())));
    let keep = keep(&lane);
    runtime.block_on(async {
        let modules = &keep.store;
        let first = upload(modules, "a", "1").await;
        for bytes in ["2", "3"] {
            upload(modules, "a", bytes).await;
        }
        prune(&keep).await;
        assert!(modules.get(&first).await.is_err());
        let again = modules.put("a", Bytes::from("1")).await.unwrap();
        assert_eq!((again.number, again.digest), (4, first));
        let late = lane.chain.path(&format!("modules/sha256/{first}.wasm"));
        assert!(lane.chain.store.delete(&late).await.is_ok());
        assert_eq!(modules.get(&first).await.unwrap(), "1");
        prune(&keep).await;
        assert_eq!(modules.get(&first).await.unwrap(), "1");
    });
}

#[test]
fn what_a_chain_beside_them_runs_or_ran_lately_stays() {
    let (runtime, lane) = (runtime(), storage(Arc::new(InMemory::new())));
    let other = LaneStorage { job: "other".to_owned(), ..lane.clone() };
    let keep = keep(&lane);
    let modules = keep.store.clone();
    let uploads = async {
        let mut digests = Vec::new();
        for bytes in ["1", "2", "3", "4", "5", "6"] {
            digests.push(upload(&modules, "a", bytes).await);
        }
        digests
    };
    let digests = runtime.block_on(uploads);
    run(&runtime, &lane, &digests[..1]);
    run(&runtime, &other, &[digests[1], digests[3]]);
    runtime.block_on(async {
        assert_eq!(prune(&keep).await, (1, 1));
        assert_eq!(numbers(&modules, "a").await, [1, 2, 4, 5, 6]);
        let choice = VersionChoice::Number(2);
        let back = modules.resolve("a", Some(&choice)).await.unwrap();
        assert_eq!(modules.get(&back.digest).await.unwrap(), "2");
    });
}

#[test]
fn a_chain_that_cannot_be_read_keeps_everything() {
    let (runtime, lane) = (runtime(), storage(Arc::new(InMemory::new())));
    let keep = keep(&lane);
    runtime.block_on(async {
        for bytes in ["1", "2", "3"] {
            upload(&keep.store, "a", bytes).await;
        }
        let slot = lane.chain.path(&format!("new/lanes/0/chain/{:020}.json", 7));
        lane.chain.store.put(&slot, r#"{"v":99}"#.into()).await.unwrap();
        let error = keep.prune(NOW).await.unwrap_err().to_string();
        assert!(error.contains("version"), "{error}");
        assert_eq!(numbers(&keep.store, "a").await, [1, 2, 3]);
    });
}

#[test]
fn a_chain_elsewhere_that_says_so_keeps_everything() {
    let (runtime, lane) = (runtime(), storage(Arc::new(InMemory::new())));
    let keep = keep(&lane);
    runtime.block_on(async {
        for bytes in ["1", "2", "3"] {
            upload(&keep.store, "a", bytes).await;
        }
        keep.store.announce("beside", &lane.chain).await.unwrap();
        let elsewhere = Location { url: "s3://elsewhere".to_owned(), ..lane.chain.clone() };
        for _ in 0..2 {
            keep.store.announce("afar", &elsewhere).await.unwrap();
        }
        let pruned = keep.prune(NOW).await.unwrap();
        assert_eq!(pruned, Pruned { elsewhere: 1, ..Pruned::default() });
        assert_eq!(numbers(&keep.store, "a").await, [1, 2, 3]);
    });
}

/// Ten minutes after its opening, and then every day.
#[test]
fn an_owner_collects_modules_beside_its_commits() {
    let (runtime, mut lane) = (runtime(), storage(Arc::new(InMemory::new())));
    let keep = keep(&lane);
    runtime.block_on(async {
        for bytes in ["1", "2", "3"] {
            upload(&keep.store, "a", bytes).await;
        }
    });
    assert_eq!(live(&runtime, &lane, 3), Ended::Done);
    lane.keep.modules = Some(keep.clone());
    let opened = runtime.block_on(open(&lane, INSTANCE)).unwrap();
    keep_house(housekeeping(&lane, &opened), async {
        for minutes in [9, 2] {
            assert_eq!(numbers(&keep.store, "a").await, [1, 2, 3]);
            tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
        }
    });
    runtime.block_on(async { assert_eq!(numbers(&keep.store, "a").await, [2, 3]) });
    assert_eq!(lane.keep.deleted.objects.load(Ordering::Relaxed), 1);
}

#[test]
fn a_version_stays_until_it_is_old() {
    let (runtime, lane) = (runtime(), storage(Arc::new(InMemory::new())));
    let keep = ModuleKeep { retention: Retention { age: Duration::MAX, ..AT_ONCE }, ..keep(&lane) };
    runtime.block_on(async {
        for bytes in ["1", "2", "3"] {
            upload(&keep.store, "a", bytes).await;
        }
        assert_eq!(prune(&keep).await, (0, 0));
    });
}
