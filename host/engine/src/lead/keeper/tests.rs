//! A leader's signs of life where the store holds them, does not delete, or makes it panic.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures::stream::{self, BoxStream, StreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, Result};

use super::super::Standing;
use super::super::process::Processes;
use super::*;
use sluicegate_chain::lead::claim::LeadTerm;
use sluicegate_chain::lead::follow::Seen;
use sluicegate_chain::record::Epoch;
use sluicegate_chain::{Keep, LaneStorage};
use sluicegate_runtime::Names;
use sluicegate_store::Location;
use sluicegate_testing::counted::CountedStore;
use sluicegate_testing::held::HeldStore;
use sluicegate_testing::panicking::PanickingStore;
use sluicegate_testing::passes_on;

/// A store that never answers who deletes.
#[derive(Debug)]
struct NeverDeletes {
    inner: Arc<dyn ObjectStore>,
}

impl fmt::Display for NeverDeletes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("store that never deletes")
    }
}

impl ObjectStore for NeverDeletes {
    passes_on!(
        inner: put_opts, put_multipart_opts, get_opts, list, list_with_offset, list_with_delimiter, copy_opts
    );

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        stream::pending().boxed()
    }
}

fn store(inner: Arc<dyn ObjectStore>) -> LeadStore {
    let (job, lane) = ("sales".to_owned(), "0".to_owned());
    let chain = Location { store: inner, ..Location::in_memory() };
    let keep = Keep::default();
    LeadStore::new(&LaneStorage { chain, tables: BTreeMap::new(), job, lane, keep })
}

/// The leader of term 1, which has claimed it.
async fn work(store: &LeadStore, clock: &Clock) -> Work {
    let minute = Duration::from_secs(60);
    let timing = Timing { ttl: minute * 10, beat: minute, margin: Duration::ZERO };
    let applicant = Applicant {
        pipeline: Arc::from("sales"),
        instance: "a/1".to_owned(),
        url: None,
        file: None,
        ttl: timing.ttl,
        clock: clock.clone(),
        names: Names::random(),
        processes: Processes::of_machine(),
    };
    let claim = applicant.claim(LeadTerm::FIRST);
    assert!(matches!(store.try_win(&claim).await, Attempt::Won));
    let metrics = Arc::new(LaneMetrics::new([], []));
    Work {
        store: store.clone(),
        timing,
        clock: clock.clone(),
        lead: Lead::new(clock.clone()),
        pulse: Pulse::new(clock.clone()),
        call_deadline: Duration::ZERO,
        asked: Stop::new(clock.clone()),
        metrics: Arc::clone(&metrics),
        before: Done::of(&metrics),
        shown: None,
        applicant,
        claim,
        hold: Hold::begin(&timing, clock.with_suspend()),
    }
}

async fn seen(store: &LeadStore) -> Seen {
    store.look(None).await.unwrap().unwrap()
}

/// Whether it waits after one step.
async fn is_pending<T>(mut work: Pin<&mut impl Future<Output = T>>) -> bool {
    poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await
}

/// Landing later, it would undo the release.
#[tokio::test]
async fn a_leader_that_ends_lets_its_sign_be_answered_before_it_releases() {
    let held = Arc::new(HeldStore::new(Arc::new(InMemory::new())));
    let (store, clock) = (store(Arc::clone(&held) as Arc<dyn ObjectStore>), Clock::manual(0));
    let (work, stop) = (work(&store, &clock).await, CancellationToken::new());
    clock.advance(Duration::from_secs(60));
    work.pulse.beat();
    held.hold("beats/");
    let mut run = std::pin::pin!(work.run(stop.clone()));
    while !held.has_come() {
        assert!(is_pending(run.as_mut()).await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.cancel();
    assert!(is_pending(run.as_mut()).await, "it waits for the answer");
    assert!(seen(&store).await.sign.is_none());
    held.land_and_go_on().await.1.unwrap();
    run.await;
    assert!(seen(&store).await.is_released());
}

/// Each term lapsed before its first sign, and leadership went from one to the other.
#[tokio::test]
async fn a_leader_shows_its_signs_where_nothing_can_be_deleted() {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let (store, clock) = (store(Arc::new(NeverDeletes { inner })), Clock::manual(0));
    let (work, stop) = (work(&store, &clock).await, CancellationToken::new());
    clock.advance(Duration::from_secs(60));
    work.pulse.beat();
    let mut run = std::pin::pin!(work.run(stop.clone()));
    for _ in 0..1_000 {
        assert!(is_pending(run.as_mut()).await);
        if seen(&store).await.sign.is_some() {
            stop.cancel();
            run.await;
            assert!(seen(&store).await.is_released());
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("no sign");
}

/// Others look more often then. Its own commit may take seconds yet.
#[tokio::test]
async fn a_leader_that_is_asked_to_end_says_so_at_once_and_leads_on() {
    let (store, clock) = (store(Arc::new(InMemory::new())), Clock::manual(0));
    let (work, stop) = (work(&store, &clock).await, CancellationToken::new());
    work.pulse.beat();
    let (asked, lead) = (work.asked.clone(), work.lead.clone());
    let mut run = std::pin::pin!(work.run(stop.clone()));
    assert!(is_pending(run.as_mut()).await);
    asked.ask();
    let is_ending = |seen: Seen| seen.is_ending() && !seen.is_released();
    while !is_ending(seen(&store).await) {
        assert!(is_pending(run.as_mut()).await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(is_pending(run.as_mut()).await);
    assert_eq!(lead.standing(), Standing::Leads);
    stop.cancel();
    run.await;
    assert!(seen(&store).await.is_released());
}

/// Others see by it that it did not die of what it was given first.
#[tokio::test]
async fn a_sign_tells_whether_its_leader_has_committed_in_this_term() {
    let (store, clock) = (store(Arc::new(InMemory::new())), Clock::manual(0));
    let mut work = work(&store, &clock).await;
    work.metrics.last_commit_micros.set_micros(1);
    work.before = Done::of(&work.metrics);
    let told = |work: &mut Work| {
        let Sign { has_committed, idle, .. } = work.sign(false);
        (has_committed, idle)
    };
    assert_eq!(told(&mut work), (Some(false), false), "it opens");
    work.metrics.opened(Epoch::GENESIS, 0);
    assert_eq!(told(&mut work), (Some(false), true), "it has nothing to read");
    work.metrics.records.read.add(1);
    assert_eq!(told(&mut work), (Some(false), false));
    work.metrics.last_commit_micros.set_micros(2);
    assert_eq!(told(&mut work), (Some(true), false));
}

/// The next sign by the clock may come when it is dead.
#[tokio::test]
async fn a_commit_is_told_at_once_and_only_once() {
    let (store, clock) = (store(Arc::new(InMemory::new())), Clock::manual(0));
    let mut work = work(&store, &clock).await;
    assert!(matches!(work.beat().await, Round::Kept));
    assert_eq!(seen(&store).await.sign, None, "none is due");
    work.metrics.last_commit_micros.set_micros(2);
    for _ in 0..3 {
        assert!(matches!(work.beat().await, Round::Kept));
        let sign = seen(&store).await.sign.unwrap();
        assert_eq!((sign.count, sign.has_committed), (1, Some(true)));
    }
}

/// A directory syncs the others: after a power cut, too, they say that the leader had committed, or had ended.
#[tokio::test]
async fn signs_that_repeat_what_was_said_are_fleeting() {
    let counted = CountedStore::default();
    let (store, clock) = (store(Arc::new(counted.clone())), Clock::manual(0));
    let mut work = work(&store, &clock).await;
    let shows = async |work: &mut Work| {
        clock.advance(Duration::from_secs(60));
        assert!(matches!(work.beat().await, Round::Kept));
        (seen(&store).await.sign.unwrap().count, counted.marked())
    };
    assert_eq!(shows(&mut work).await, (1, 0), "the first of a term");
    assert_eq!(shows(&mut work).await, (2, 1));
    work.metrics.last_commit_micros.set_micros(2);
    assert_eq!(shows(&mut work).await, (3, 0), "it has committed");
    assert_eq!(shows(&mut work).await, (4, 1));
    let stop = CancellationToken::new();
    stop.cancel();
    work.keep(stop).await;
    assert!(seen(&store).await.is_released());
    assert_eq!(counted.marked(), 0, "the last");
}

/// Each instance in its turn would give the lane up in the same call.
#[tokio::test]
async fn a_leader_shows_that_it_lives_for_as_long_as_a_call_of_its_plugin_may_take() {
    for (silent, lives) in [(299, true), (300, false)] {
        let (store, clock) = (store(Arc::new(InMemory::new())), Clock::manual(0));
        let (mut work, stop) = (work(&store, &clock).await, CancellationToken::new());
        work.call_deadline = Duration::from_secs(60);
        clock.advance(Duration::from_secs(silent));
        let mut run = std::pin::pin!(work.run(stop.clone()));
        for _ in 0..50 {
            assert!(is_pending(run.as_mut()).await);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(seen(&store).await.sign.is_some(), lives, "silent for {silent} s");
    }
}

/// Its lane would wait for ever for a sign that gets through.
#[tokio::test]
async fn a_leader_whose_signs_panic_leads_no_more_and_says_why() {
    let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let panicking = PanickingStore::new(inner, "beats/", 1);
    let (store, clock) = (store(Arc::new(panicking)), Clock::manual(0));
    let (work, stop) = (work(&store, &clock).await, CancellationToken::new());
    let (lead, panics) = (work.lead.clone(), work.metrics.panics.clone());
    lead.extend(work.hold.until());
    assert_eq!(lead.standing(), Standing::Leads);
    clock.advance(Duration::from_secs(60));
    work.pulse.beat();
    Box::pin(guarded(work, stop)).await;
    let Standing::Lost(why) = lead.standing() else { panic!("it goes on") };
    assert!(why.contains("signs of life panicked"), "{why}");
    assert_eq!(panics.count(), 1);
}

/// Its claim may land at any time, and nobody would lead by it.
#[tokio::test]
async fn whoever_is_asked_to_stop_while_its_claim_is_under_way_releases_what_it_wins() {
    let held = Arc::new(HeldStore::new(Arc::new(InMemory::new())));
    let (store, clock) = (store(Arc::clone(&held) as Arc<dyn ObjectStore>), Clock::manual(0));
    let (mut work, stop) = (work(&store, &clock).await, CancellationToken::new());
    held.hold("terms/");
    let mut renewed = Box::pin(work.renew(&stop));
    assert!(is_pending(renewed.as_mut()).await && held.has_come());
    stop.cancel();
    assert!(matches!(renewed.await, Round::Failed));
    let before = seen(&store).await;
    assert!(before.claim.term == LeadTerm(2) && before.is_released());
    // What was dropped lands after all.
    held.land().await.1.unwrap_err();
    assert_eq!(seen(&store).await, before);
}
