//! Stored pieces of a large state become a base, by a thread beside the lane (docs/design/state.md#merging).
//!
//! It reads what the newest record names, never what the lane has in memory. The lane goes on and puts deltas on top of those
//! pieces meanwhile. The base goes into the next record, in their place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio_util::sync::CancellationToken;

use crate::counters::LaneMetrics;
use sluicegate_chain::record::{Piece, StateRef};
use sluicegate_chain::{ChainError, MergedBase, MergedPacking, StoredPieces};
use sluicegate_runtime::{Runtime, Thread, panicked};
use sluicegate_state::window::snapshot::SnapshotError;

use super::Bases;

/// After a failure it is tried again when there are so many more deltas.
const RETRY_AFTER: usize = 4;

/// The merges of one lane, one at a time.
pub(super) struct Merging {
    name: String,
    pieces: StoredPieces,
    runtime: Runtime,
    metrics: Arc<LaneMetrics>,
    job: Option<Job>,
    /// Not tried before there are so many deltas: it has failed.
    not_before: usize,
}

/// A merge under way, or one that is to be taken.
struct Job {
    of: Vec<Piece>,
    /// None: its end was taken.
    thread: Option<Thread<Result<MergedBase, MergeFailed>>>,
    stop: CancellationToken,
    /// What it holds.
    bytes: Arc<AtomicU64>,
}

#[derive(Debug, thiserror::Error)]
enum MergeFailed {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("a piece cannot be read: {0}")]
    Piece(#[from] SnapshotError),
    #[error("it panicked, which is a fault of Sluicegate: {0}")]
    Panicked(String),
    #[error("it is not wanted any more")]
    Stopped,
}

impl Drop for Job {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Merging {
    pub(super) fn new(
        name: String,
        (pieces, runtime): (&StoredPieces, &Runtime),
        metrics: &Arc<LaneMetrics>,
    ) -> Self {
        let (pieces, runtime) = (pieces.clone(), runtime.clone());
        Self { name, pieces, runtime, metrics: Arc::clone(metrics), job: None, not_before: 0 }
    }

    /// Bytes that a merge holds, about.
    pub(super) fn bytes(&self) -> u64 {
        self.job.as_ref().map_or(0, |job| job.bytes.load(Relaxed))
    }

    /// A record names these pieces now. Begins a merge if there is much to merge.
    pub(super) fn committed(&mut self, state: Option<&StateRef>, bases: &Bases) {
        let pieces = state.map_or(&[][..], |state| &state.pieces);
        if self.job.as_ref().is_some_and(|job| !pieces.starts_with(&job.of)) {
            // Others have taken the place of its pieces.
            self.job = None;
        }
        let Some(state) = state else { return };
        if state.deltas() < RETRY_AFTER {
            self.not_before = 0;
        }
        let waits = self.job.is_some() || state.deltas() < self.not_before;
        if waits || !bases.is_merge_due(state) {
            return;
        }
        match self.begin(state) {
            Ok(job) => self.job = Some(job),
            Err(error) => self.failed(state.deltas(), &error),
        }
    }

    /// The base that a merge has made, for the next record.
    pub(super) fn take(&mut self) -> Option<MergedBase> {
        let mut job = self.job.take_if(|job| job.is_done())?;
        let deltas = job.of.iter().filter(|piece| piece.delta).count();
        match job.end() {
            Ok(merged) => {
                self.metrics.merges.add(1);
                Some(merged)
            }
            Err(error) => {
                self.failed(deltas, &error);
                None
            }
        }
    }

    /// Lets go of a merge, for there is no memory for it. Whether there was one.
    pub(super) fn give_up(&mut self) -> bool {
        let Some(job) = self.job.take() else { return false };
        let deltas = job.of.iter().filter(|piece| piece.delta).count();
        self.failed(deltas, &"memory is too short for it");
        true
    }

    fn failed(&mut self, deltas: usize, error: &dyn std::fmt::Display) {
        self.not_before = deltas + RETRY_AFTER;
        tracing::warn!(
            pipeline = self.name, %error,
            "the deltas of the state were not merged; checkpoints put more on top, and it is tried again"
        );
    }

    fn begin(&self, state: &StateRef) -> std::io::Result<Job> {
        let (stop, bytes) = (CancellationToken::new(), Arc::<AtomicU64>::default());
        let of = state.pieces.clone();
        let merge = Merge {
            runtime: self.runtime.clone(),
            pieces: self.pieces.clone(),
            stop: stop.clone(),
            bytes: Arc::clone(&bytes),
        };
        let merged = of.clone();
        let name = format!("merge-{}", self.name);
        let thread = self.runtime.thread(name, None, move || merge.run(merged))?;
        Ok(Job { of, thread: Some(thread), stop, bytes })
    }
}

impl Job {
    fn is_done(&self) -> bool {
        self.thread.as_ref().is_some_and(Thread::is_finished)
    }

    fn end(&mut self) -> Result<MergedBase, MergeFailed> {
        let Some(thread) = self.thread.take() else { return Err(MergeFailed::Stopped) };
        thread.join().unwrap_or_else(|panic| Err(MergeFailed::Panicked(panicked(&*panic))))
    }
}

/// What the thread works with.
struct Merge {
    runtime: Runtime,
    pieces: StoredPieces,
    stop: CancellationToken,
    bytes: Arc<AtomicU64>,
}

impl Merge {
    /// Holds the deltas and one piece of the base, and what is merged, compressed.
    fn run(self, of: Vec<Piece>) -> Result<MergedBase, MergeFailed> {
        let (deltas, base): (Vec<_>, Vec<_>) = of.iter().partition(|piece| piece.delta);
        let mut held = 0;
        let deltas = deltas.into_iter().map(|piece| {
            let delta = self.load(piece)?;
            // And once more: what stands in it, as rows and as ids.
            held += 2 * delta.len() as u64;
            self.bytes.store(held, Relaxed);
            Ok::<_, MergeFailed>(delta)
        });
        let deltas = deltas.collect::<Result<Vec<_>, _>>()?;
        let (merging, sections) = sluicegate_state::Merging::of(&deltas)?;
        let mut packing = MergedPacking::new(merging.header());
        packing.add(&sections);
        drop(sections);
        for piece in base {
            let piece = self.load(piece)?;
            self.bytes.store(held + 2 * piece.len() as u64 + packing.bytes(), Relaxed);
            packing.add(&merging.base(&piece)?);
        }
        let merged = packing.end(of);
        self.bytes.store(merged.bytes(), Relaxed);
        Ok(merged)
    }

    fn load(&self, piece: &Piece) -> Result<Vec<u8>, MergeFailed> {
        let load = self.stop.run_until_cancelled(self.pieces.load(piece));
        Ok(self.runtime.block_on(load).ok_or(MergeFailed::Stopped)??)
    }
}
