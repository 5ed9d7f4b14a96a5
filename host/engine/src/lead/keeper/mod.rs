//! Keeps a term: shows signs of life beside the lane, and tells the lane when they do not get through.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::applicant::Applicant;
use super::{Lead, SETTLE_LIMIT};
use crate::pulse::Pulse;
use crate::stop::Stop;
use sluicegate_chain::lead::Timing;
use sluicegate_chain::lead::claim::{Claim, Sign};
use sluicegate_chain::lead::hold::{Hold, Kept};
use sluicegate_chain::lead::store::{Attempt, LeadStore};
use sluicegate_model::time::Clock;
use sluicegate_runtime::{Panics, Runtime};
use sluicegate_store::once::settled;

/// A lane that does not pass its loop for so long hangs: its instance leads no more, so that another one may. No turn takes
/// as long.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// How long the keeper waits after a request that failed.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The task of a term.
#[derive(Debug)]
pub(crate) struct Keeper {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Keeps what was won.
    pub(crate) fn spawn(runtime: &Runtime, work: Work) -> Self {
        let stop = CancellationToken::new();
        let task = runtime.spawn(guarded(work, stop.clone()));
        Self { stop, task }
    }

    /// A task that keeps nothing.
    #[cfg(test)]
    pub(super) fn of_task(stop: CancellationToken, task: JoinHandle<()>) -> Self {
        Self { stop, task }
    }

    /// Ends the term.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Says that the term has ended, if the store hears it within `limit`.
    pub(super) async fn release(self, limit: Duration) {
        self.stop();
        // Dropped, it goes on to say so in the background.
        drop(tokio::time::timeout(limit, self.task).await);
    }
}

/// Whoever shows no more signs does not lead: without this the lane would wait for ever for a sign that gets through.
async fn guarded(work: Work, stop: CancellationToken) {
    let (lead, panics) = (work.lead.clone(), work.panics.clone());
    if let Err(panicked) = panics.catch(work.run(stop.clone())).await {
        let why = format!(
            "what shows signs of life panicked, which is a fault of Sluicegate: {panicked}"
        );
        tracing::error!("{why}");
        lead.while_kept(&stop, |lead| lead.lose(why));
    }
}

/// What is kept.
pub(crate) struct Work {
    pub(crate) store: LeadStore,
    pub(crate) timing: Timing,
    pub(crate) clock: Clock,
    pub(crate) lead: Lead,
    pub(crate) pulse: Pulse,
    /// Heard before the lane has committed for the last time.
    pub(crate) asked: Stop,
    pub(crate) panics: Panics,
    pub(crate) applicant: Applicant,
    pub(crate) claim: Claim,
    pub(crate) hold: Hold,
}

/// How a round ended.
enum Round {
    Kept,
    Failed,
    Lapsed,
    Lost(String),
}

impl Work {
    async fn run(mut self, stop: CancellationToken) {
        self.store.forget_old(self.claim.term).await;
        while stop.run_until_cancelled(self.wait()).await.is_some() {
            if self.pulse.silence() >= HANGS_AFTER {
                tokio::time::sleep(AGAIN_AFTER).await;
                continue;
            }
            let round = match settled(stop.cancelled(), SETTLE_LIMIT, self.beat()).await {
                None => break,
                Some(Round::Lapsed) if stop.is_cancelled() => break,
                Some(Round::Lapsed) => self.renew(&stop).await,
                Some(round) => round,
            };
            match round {
                Round::Kept | Round::Lapsed => {
                    self.lead.while_kept(&stop, |lead| lead.extend(self.hold.until()));
                }
                Round::Failed => tokio::time::sleep(AGAIN_AFTER).await,
                Round::Lost(why) => {
                    self.lead.while_kept(&stop, |lead| lead.lose(why));
                    return;
                }
            }
        }
        let sign = self.sign(true);
        if let Err(error) = self.store.put_sign(self.claim.term, &sign, self.timing.ttl).await {
            tracing::debug!("{error}");
        }
    }

    /// Until the next sign is due, which it is as soon as the instance is asked to end.
    async fn wait(&mut self) {
        let due = self.hold.next_beat().saturating_sub(self.clock.with_suspend());
        // A machine that was suspended wakes to see at once that it is late.
        let due = tokio::time::sleep(due.clamp(Duration::from_millis(10), Duration::from_secs(1)));
        let asked = self.asked.clone();
        tokio::select! {
            () = asked.asked(), if !self.hold.is_ending() => self.hold.end(),
            () = due => {}
        }
    }

    async fn beat(&mut self) -> Round {
        let began = self.clock.with_suspend();
        if !self.hold.is_valid(began) {
            return Round::Lapsed;
        }
        if began < self.hold.next_beat() {
            return Round::Kept;
        }
        let next = self.store.claim(self.claim.term.next());
        match tokio::time::timeout(self.timing.beat, next).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(next))) => return Round::Lost(lost_to(&next)),
            Ok(Err(error)) => {
                tracing::debug!("{error}");
                return Round::Failed;
            }
            Err(_) => return Round::Failed,
        }
        let began = self.clock.with_suspend();
        let sign = self.sign(false);
        match self.store.put_sign(self.claim.term, &sign, self.timing.beat).await {
            Ok(()) => match self.hold.taken(began, self.clock.with_suspend()) {
                Kept::Extended => Round::Kept,
                Kept::Lapsed => Round::Lapsed,
            },
            Err(error) => {
                tracing::debug!("{error}");
                Round::Failed
            }
        }
    }

    /// The term is over, and nobody may have the next one yet: whoever led it need not wait for itself.
    async fn renew(&mut self, stop: &CancellationToken) -> Round {
        let claim = self.applicant.claim(self.claim.term.next());
        let began = self.clock.with_suspend();
        loop {
            match stop.run_until_cancelled(self.store.try_win(&claim)).await {
                Some(Attempt::Won) => {
                    tracing::warn!(
                        pipeline = %self.applicant.pipeline, term = %claim.term,
                        "no sign of life got through in time; nobody else has taken over, so it goes on"
                    );
                    self.hold = Hold::begin(&self.timing, began);
                    self.lead.while_kept(stop, |lead| lead.renewed(&claim));
                    self.claim = claim;
                    return Round::Kept;
                }
                Some(Attempt::Lost) => {
                    let next = self.store.claim(claim.term).await.ok().flatten();
                    let why =
                        next.as_ref().map_or_else(|| "another instance leads".to_owned(), lost_to);
                    return Round::Lost(why);
                }
                Some(Attempt::Unknown(error)) => {
                    tracing::debug!("{error}");
                    let again = tokio::time::sleep(AGAIN_AFTER);
                    stop.run_until_cancelled(again).await;
                }
                None => {}
            }
            if stop.is_cancelled() {
                self.store.withdraw(&claim, SETTLE_LIMIT).await;
                return Round::Failed;
            }
        }
    }

    fn sign(&mut self, released: bool) -> Sign {
        let (nonce, ending) = (self.claim.nonce.clone(), self.hold.is_ending());
        Sign { nonce, count: self.hold.count(), released, ending }
    }
}

fn lost_to(next: &Claim) -> String {
    format!(
        "`{}` has led since term {}, while this instance showed no sign of life",
        next.instance, next.term
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::Poll;

    use object_store::ObjectStore;
    use object_store::memory::InMemory;

    use super::super::Standing;
    use super::super::process::Processes;
    use super::*;
    use sluicegate_chain::lead::claim::LeadTerm;
    use sluicegate_chain::lead::follow::Seen;
    use sluicegate_chain::{Keep, LaneStorage};
    use sluicegate_runtime::Names;
    use sluicegate_store::Location;
    use sluicegate_testing::held::HeldStore;
    use sluicegate_testing::panicking::PanickingStore;

    fn store(inner: Arc<dyn ObjectStore>) -> LeadStore {
        let (job, lane) = ("sales".to_owned(), "0".to_owned());
        let chain = Location { store: inner, ..Location::in_memory() };
        let keep = Keep::default();
        LeadStore::new(&LaneStorage { chain, tables: BTreeMap::new(), job, lane, keep })
    }

    /// The leader of term 1, which has claimed it.
    async fn work(store: &LeadStore, clock: &Clock) -> Work {
        let minute = Duration::from_secs(60);
        let timing = Timing { ttl: minute * 3, beat: minute, margin: Duration::ZERO };
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
        Work {
            store: store.clone(),
            timing,
            clock: clock.clone(),
            lead: Lead::new(clock.clone()),
            pulse: Pulse::new(clock.clone()),
            asked: Stop::new(clock.clone()),
            panics: Panics::default(),
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

    /// Its lane would wait for ever for a sign that gets through.
    #[tokio::test]
    async fn a_leader_whose_signs_panic_leads_no_more_and_says_why() {
        let inner: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let panicking = PanickingStore::new(inner, "beats/", 1);
        let (store, clock) = (store(Arc::new(panicking)), Clock::manual(0));
        let (work, stop) = (work(&store, &clock).await, CancellationToken::new());
        let (lead, panics) = (work.lead.clone(), work.panics.clone());
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
}
