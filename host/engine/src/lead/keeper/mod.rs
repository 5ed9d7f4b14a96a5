//! Keeps a term: shows signs of life beside the lane, and tells the lane when they do not get through.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::applicant::Applicant;
use super::{Lead, SETTLE_LIMIT};
use crate::counters::LaneMetrics;
use crate::pulse::Pulse;
use crate::stop::Stop;
use sluicegate_chain::lead::Timing;
use sluicegate_chain::lead::claim::{Claim, Sign};
use sluicegate_chain::lead::hold::{Hold, Kept};
use sluicegate_chain::lead::store::{Attempt, LeadStore};
use sluicegate_model::time::Clock;
use sluicegate_runtime::Runtime;
use sluicegate_store::once::settled;

/// A lane that shows nothing of its work for so long, beyond what a call of a plugin may take, hangs: its instance leads no more, so
/// that another one may. Turns and openings show themselves more often.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// A call of a plugin has at least a quarter of a core: its deadline is one of CPU time.
const CALL_WALL_TIME: u32 = 4;

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
    let (lead, panics) = (work.lead.clone(), work.metrics.panics.clone());
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
    /// A plugin that takes longer is stopped.
    pub(crate) call_deadline: Duration,
    /// Heard before the lane has committed for the last time.
    pub(crate) asked: Stop,
    pub(crate) metrics: Arc<LaneMetrics>,
    /// What the instance had done before it won.
    pub(crate) before: Done,
    pub(crate) applicant: Applicant,
    pub(crate) claim: Claim,
    pub(crate) hold: Hold,
    /// The last sign of this term that the store has taken.
    pub(crate) shown: Option<Sign>,
}

/// What an instance has done since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// When it committed last, wall time in µs since 1970; 0: it has not.
    committed: u64,
    openings: u64,
    /// Records.
    read: u64,
}

impl Done {
    /// By now.
    pub(crate) fn of(metrics: &LaneMetrics) -> Self {
        let LaneMetrics { last_commit_micros, openings, records, .. } = metrics;
        Self {
            committed: last_commit_micros.get(),
            openings: openings.get(),
            read: records.read.get(),
        }
    }
}

/// How a round ended.
enum Round {
    Kept,
    Failed,
    Lapsed,
    Lost(String),
}

impl Work {
    /// Terms that are over are forgotten beside it: where the store does not answer that, no sign of life is late.
    async fn run(self, stop: CancellationToken) {
        let (store, term) = (self.store.clone(), self.claim.term);
        let forget = async move {
            store.forget_old(term).await;
            std::future::pending().await
        };
        tokio::select! {
            () = self.keep(stop) => {}
            () = forget => {}
        }
    }

    async fn keep(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.wait()).await.is_some() {
            if self.pulse.silence() >= HANGS_AFTER + self.call_deadline * CALL_WALL_TIME {
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
        let (term, limit) = (self.claim.term, self.timing.ttl);
        if let Err(error) = self.store.put_sign(term, &sign, self.shown.as_ref(), limit).await {
            tracing::debug!("{error}");
        }
    }

    /// When the next sign is due: at once where others do not know yet that an epoch was committed. They would take a leader that dies
    /// for one that what it read has killed.
    fn due(&self) -> Duration {
        match self.has_committed() && !self.is_told() {
            true => Duration::ZERO,
            false => self.hold.next_beat(),
        }
    }

    fn has_committed(&self) -> bool {
        self.metrics.last_commit_micros.get() != self.before.committed
    }

    /// Whether others know that an epoch was committed in this term.
    fn is_told(&self) -> bool {
        self.shown.as_ref().is_some_and(|sign| sign.has_committed == Some(true))
    }

    /// Until the next sign is due, which it is as soon as the instance is asked to end. A commit is seen within a second.
    async fn wait(&mut self) {
        let due = self.due().saturating_sub(self.clock.with_suspend());
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
        if began < self.due() {
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
        let (term, limit) = (self.claim.term, self.timing.beat);
        match self.store.put_sign(term, &sign, self.shown.as_ref(), limit).await {
            Ok(()) => {
                self.shown = Some(sign);
                match self.hold.taken(began, self.clock.with_suspend()) {
                    Kept::Extended => Round::Kept,
                    Kept::Lapsed => Round::Lapsed,
                }
            }
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
                    (self.before, self.shown) = (Done::of(&self.metrics), None);
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
        let (count, ending) = (self.hold.count(), self.hold.is_ending());
        let (now, before) = (Done::of(&self.metrics), self.before);
        let has_committed = Some(now.committed != before.committed);
        let idle = now.openings != before.openings && now.read == before.read;
        Sign { released, ending, has_committed, idle, ..Sign::of_life(&self.claim, count) }
    }
}

fn lost_to(next: &Claim) -> String {
    format!(
        "`{}` has led since term {}, while this instance showed no sign of life",
        next.instance, next.term
    )
}
