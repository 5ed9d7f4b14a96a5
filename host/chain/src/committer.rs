//! The committer: makes frozen epochs durable, one after the other, beside the lane's loop.
//!
//! It has a thread of its own and at most one epoch in hand (docs/design/decisions.md#d4). Whatever
//! the store does, it goes on with the same names and the same bytes until the epoch is committed,
//! its slot is lost, or it is dropped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::commit::ChainWriter;
use super::frozen::FrozenEpoch;
use super::outcome::CommitOutcome;
use super::problem::CommitProblem;
use super::record::Epoch;
use super::stored::StoredPieces;
use super::{Chain, ChainError, LaneStorage};
use sluicegate_model::time::Clock;
use sluicegate_runtime::{Bell, Runtime, Thread};

/// How long an owner that ends waits for the store to hear of it.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// The handle of the committer's thread. The lane owns it. Dropping it stops the work at the next request and
/// waits for the thread; a request that is under way may still take effect.
#[derive(Debug)]
pub struct Committer {
    runtime: Runtime,
    /// Capacity one, for the epoch in hand. None only while dropping.
    epochs: Option<Sender<FrozenEpoch>>,
    /// Capacity one: there is never more than one epoch out.
    outcomes: Receiver<CommitOutcome>,
    problem: CommitProblem,
    stop: CancellationToken,
    life: Arc<Life>,
    /// Wakes the lane.
    bell: Arc<OnceLock<Bell>>,
    thread: Option<Thread<()>>,
    clock: Clock,
    tables: Vec<Arc<str>>,
    pieces: StoredPieces,
    /// The newest committed epoch that the lane has heard of.
    head: Option<Epoch>,
    /// When the epoch in flight was submitted, by the monotonic clock.
    in_flight: Option<Duration>,
    /// How long the last one took whose outcome was taken.
    took: Duration,
    ended: bool,
}

impl Committer {
    /// Starts the thread. `runtime` drives the requests; it must have the I/O and time drivers. Each attempt that the store
    /// does not take is added to `failures`.
    pub fn spawn(
        runtime: impl Into<Runtime>,
        chain: Chain,
        storage: LaneStorage,
        clock: Clock,
        failures: Arc<AtomicU64>,
    ) -> Self {
        Self::spawn_beating(runtime, chain, storage, clock, failures, None)
    }

    /// As [`Committer::spawn`]. While there is no news it says `every` so often that the owner lives, as long as the owner
    /// asks for outcomes. ([`super::beat`])
    pub fn spawn_beating(
        runtime: impl Into<Runtime>,
        chain: Chain,
        storage: LaneStorage,
        clock: Clock,
        failures: Arc<AtomicU64>,
        every: Option<Duration>,
    ) -> Self {
        let runtime = runtime.into();
        let (epochs, submitted) = channel(1);
        let (finished, outcomes) = channel(1);
        let problem = CommitProblem::new(clock.clone(), failures);
        let (stop, life) = (CancellationToken::new(), Arc::<Life>::default());
        let bell = Arc::<OnceLock<Bell>>::default();
        let tables = storage.tables.keys().map(Arc::clone).collect();
        let head = chain.head.as_ref().map(|head| head.epoch);
        let name = format!("commit-{}/{}", chain.job, chain.lane);
        let pieces = StoredPieces::new(chain.store(&storage));
        let writer = ChainWriter::new(chain, storage, problem.clone(), clock.clone());
        runtime.spawn(writer.housekeeping().run(stop.clone()));
        let work = Work {
            runtime: runtime.clone(),
            writer,
            stop: stop.clone(),
            submitted,
            finished,
            problem: problem.clone(),
            beats: every.map(|every| Beats { every, count: 0, life: Arc::clone(&life) }),
            bell: Arc::clone(&bell),
        };
        let thread = runtime.thread(name, None, move || work.run());
        Self {
            runtime,
            epochs: Some(epochs),
            outcomes,
            problem,
            stop,
            life,
            thread: Some(thread.expect("the system has a thread to spare")),
            bell,
            clock,
            tables,
            pieces,
            head,
            in_flight: None,
            took: Duration::ZERO,
            ended: false,
        }
    }

    /// Rings this bell from now on when there is an outcome.
    pub fn rings(&self, bell: &Bell) {
        self.bell.get_or_init(|| bell.clone());
    }

    /// The newest committed epoch, as far as outcomes were taken; none before the genesis.
    pub fn head(&self) -> Option<Epoch> {
        self.head
    }

    /// The pieces of the states that records name.
    pub fn pieces(&self) -> &StoredPieces {
        &self.pieces
    }

    /// What its requests run on.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Hands over an epoch. Its number is the one after the last committed.
    ///
    /// Panics if one is in flight, if a former one was lost or failed, or if a file belongs to no table of the
    /// lane: all three are for the lane to know.
    pub fn submit(&mut self, epoch: FrozenEpoch) {
        assert!(self.in_flight.is_none(), "one epoch in flight at a time");
        assert!(!self.ended, "nothing follows a lost or failed epoch");
        for file in &epoch.files {
            assert!(
                self.tables.contains(&file.table),
                "`{}` is not a table of the lane",
                file.table
            );
        }
        let epochs = self.epochs.as_ref().expect("only a drop takes it");
        self.in_flight = Some(self.clock.monotonic());
        // If the thread is gone, the next look at the outcomes tells.
        drop(epochs.try_send(epoch));
    }

    /// Whether an epoch was submitted whose outcome was not taken yet.
    pub fn in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// The outcome of the epoch in flight, if there is one by now. While none is in flight the slot of the next may be lost,
    /// which is heard here too.
    pub fn try_take(&mut self) -> Option<CommitOutcome> {
        self.life.shows.store(true, Ordering::Relaxed);
        match self.outcomes.try_recv() {
            Ok(outcome) => Some(self.taken(outcome)),
            Err(TryRecvError::Empty) => None,
            // It ends by itself only behind an outcome that ends everything.
            Err(TryRecvError::Disconnected) => (!self.ended).then(|| self.died()),
        }
    }

    /// Says that the owner has ended, so that whoever waits may take over at once. Nothing may be in flight. What the store
    /// does not hear in time is left out: the owner then counts as one that died.
    pub fn release(&mut self) {
        assert!(self.in_flight.is_none(), "an owner that commits does not end");
        self.life.is_over.store(true, Ordering::Relaxed);
        self.ended = true;
        self.stop.cancel();
        self.epochs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }

    /// The outcome of the epoch in flight; none if it takes longer than `limit`. While nothing is in flight it waits as well:
    /// the slot of the next may be lost.
    pub fn wait(&mut self, limit: Duration) -> Option<CommitOutcome> {
        if self.ended {
            return None;
        }
        let Self { runtime, outcomes, .. } = self;
        match runtime.block_on(async { timeout(limit, outcomes.recv()).await }) {
            Ok(Some(outcome)) => Some(self.taken(outcome)),
            Ok(None) => Some(self.died()),
            Err(_) => None,
        }
    }

    /// From submitting the epoch whose outcome was taken last until it was.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Why the epoch in flight is not durable yet, if the store is the reason:
    /// `not committed for 35 s: put a data file of epoch 12 in s3://…: …`.
    pub fn problem(&self) -> Option<String> {
        self.problem.text()
    }

    fn taken(&mut self, outcome: CommitOutcome) -> CommitOutcome {
        let submitted = self.in_flight.take().unwrap_or_default();
        self.took = self.clock.monotonic().saturating_sub(submitted);
        match &outcome {
            CommitOutcome::Committed(record) => self.head = Some(record.epoch),
            CommitOutcome::Lost(_) | CommitOutcome::Failed(_) => self.ended = true,
        }
        outcome
    }

    fn died(&mut self) -> CommitOutcome {
        self.taken(CommitOutcome::Failed(ChainError::CommitterDied))
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.stop.cancel();
        self.epochs = None;
        if let Some(thread) = self.thread.take() {
            // If it panicked, its panic was printed and the outcomes said so.
            drop(thread.join());
        }
    }
}

/// What the owner shows of itself.
#[derive(Debug, Default)]
struct Life {
    /// It has asked for outcomes since the last beat: its loop goes round.
    shows: AtomicBool,
    /// It has ended, and all that it had is committed.
    is_over: AtomicBool,
}

impl Life {
    /// What a beat came to; none if the owner stops. If it stops because it has ended, the beat is waited for: landing behind
    /// the last one, it would say that the owner lives.
    async fn unless_it_ends<T>(
        &self,
        stop: &CancellationToken,
        beat: impl Future<Output = T>,
    ) -> Option<T> {
        let mut beat = std::pin::pin!(beat);
        match stop.run_until_cancelled(&mut beat).await {
            None if self.is_over.load(Ordering::Relaxed) => timeout(RELEASE_LIMIT, beat).await.ok(),
            told => told,
        }
    }
}

/// The beats of an owner.
struct Beats {
    every: Duration,
    count: u64,
    life: Arc<Life>,
}

struct Work {
    runtime: Runtime,
    writer: ChainWriter,
    submitted: Receiver<FrozenEpoch>,
    finished: Sender<CommitOutcome>,
    stop: CancellationToken,
    problem: CommitProblem,
    beats: Option<Beats>,
    bell: Arc<OnceLock<Bell>>,
}

impl Work {
    fn run(mut self) {
        if !self.beat() {
            return;
        }
        while let Some(epoch) = self.next() {
            let commit = self.stop.run_until_cancelled(self.writer.commit(epoch));
            let Some(outcome) = self.runtime.block_on(commit) else {
                self.runtime.block_on(self.writer.give_up());
                return;
            };
            let goes_on = matches!(outcome, CommitOutcome::Committed(_));
            if goes_on {
                self.problem.clear();
            }
            if !self.tell(outcome) || !goes_on {
                return;
            }
        }
        if let Some(beats) = self.beats.take_if(|beats| beats.life.is_over.load(Ordering::Relaxed))
        {
            let released = self.writer.beat(beats.count, true);
            // Unheard, the owner counts as one that died.
            self.runtime.block_on(async {
                drop(timeout(RELEASE_LIMIT, released).await);
            });
        }
    }

    /// The next epoch; none if there will be none. Beats while it waits.
    fn next(&mut self) -> Option<FrozenEpoch> {
        loop {
            let Self { runtime, submitted, beats, .. } = self;
            let Some(Beats { every, .. }) = beats else {
                return runtime.block_on(submitted.recv());
            };
            match runtime.block_on(async { timeout(*every, submitted.recv()).await }) {
                Ok(epoch) => return epoch,
                Err(_) if self.beat() => {}
                Err(_) => return None,
            }
        }
    }

    /// False: nobody wants to know.
    fn tell(&self, outcome: CommitOutcome) -> bool {
        let is_told = self.runtime.block_on(self.finished.send(outcome)).is_ok();
        self.bell.get().inspect(|bell| bell.ring());
        is_told
    }

    /// Says that the owner lives, if it does. False: it is the owner no more, and was told.
    fn beat(&mut self) -> bool {
        let Some(Beats { every, count, life }) = &mut self.beats else { return true };
        if *count > 0 && !life.shows.swap(false, Ordering::Relaxed) {
            return true;
        }
        *count += 1;
        let beat = async { timeout(*every, self.writer.beat(*count, false)).await };
        match self.runtime.block_on(life.unless_it_ends(&self.stop, beat)) {
            Some(Ok(Some(lost))) => {
                // Whoever ends meanwhile need not know.
                self.tell(CommitOutcome::Lost(lost));
                false
            }
            // A beat that did not get through is late. What keeps it is told when something is to be committed.
            Some(Ok(None) | Err(_)) | None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;
    use tokio::sync::oneshot;

    use super::*;

    /// Landing behind the last one, it would say that the owner lives.
    #[tokio::test]
    async fn an_owner_that_ends_waits_for_its_beat_and_one_that_breaks_off_does_not() {
        for is_over in [true, false] {
            let (life, stop) = (Life::default(), CancellationToken::new());
            let (answer, beat) = oneshot::channel();
            let mut told = std::pin::pin!(life.unless_it_ends(&stop, beat));
            assert!(poll!(&mut told).is_pending());
            life.is_over.store(is_over, Ordering::Relaxed);
            stop.cancel();
            if !is_over {
                assert_eq!(told.await, None);
                continue;
            }
            assert!(poll!(&mut told).is_pending());
            answer.send(7).unwrap();
            assert_eq!(told.await, Some(Ok(7)));
        }
    }
}
