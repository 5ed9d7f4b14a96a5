//! What a lane holds in memory, as its ledger tells it, and whether it must wait for that.

use std::sync::Arc;

use sluicegate_chain::frozen::EncodedFile;
use sluicegate_chain::{FrozenOutbox, FrozenState, MergedBase};

use crate::counters::LaneMetrics;
use crate::lane::Outside;
use crate::lane::outputs::Outputs;
use crate::memory::{Account, Crowded, Holds, MemoryView, mib};

/// Of one lane.
pub(super) struct Held {
    account: Account,
    metrics: Arc<LaneMetrics>,
    /// Of the last epoch that was handed to the committer, bytes.
    copy: u64,
    files: u64,
    outbox: u64,
    /// As last told.
    told: Holds,
}

impl Held {
    /// Nothing was frozen yet.
    pub(super) fn nothing(outside: &Outside) -> Self {
        Self {
            account: outside.memory.clone(),
            metrics: Arc::clone(&outside.metrics),
            copy: 0,
            files: 0,
            outbox: 0,
            told: Holds::default(),
        }
    }

    /// An epoch goes to the committer.
    pub(super) fn submitted(
        &mut self,
        state: Option<&FrozenState>,
        files: &[EncodedFile],
        outbox: Option<&FrozenOutbox>,
    ) {
        self.copy = state.map_or(0, |state| {
            state.len() as u64 + state.merged.as_ref().map_or(0, MergedBase::bytes)
        });
        self.files = files.iter().map(|file| file.bytes.len() as u64).sum();
        self.outbox = outbox.map_or(0, |outbox| outbox.text.len() as u64);
    }

    /// Tells what the lane holds, `beside` its state to fire and to merge. `in_flight`: the committer has an epoch.
    pub(super) fn tell(&mut self, state: u64, beside: u64, outputs: &Outputs, in_flight: bool) {
        let (copy, files) = if in_flight { (self.copy, self.files) } else { (0, 0) };
        let outbox = if in_flight || outputs.is_unsent() { self.outbox } else { 0 };
        let modules = self.metrics.stages().iter().filter_map(|stage| stage.running());
        self.told = Holds {
            state,
            copy: copy + beside,
            plugins: modules.map(|module| module.memory_bytes.get()).sum(),
            staged: outputs.staged_bytes(),
            in_flight: files + outbox,
        };
        self.account.tell(self.told);
    }

    /// Refuses the lane with most, if there is more than can be given back.
    pub(super) fn check(&self) -> Result<(), Crowded> {
        self.account.check()
    }

    /// Whether what waits for the barrier holds all that it may.
    pub(super) fn is_full(&self, outputs: &Outputs) -> bool {
        outputs.staged_bytes() >= self.account.staged_max() || self.account.is_over()
    }

    /// Whether all lanes together hold too much, and an epoch that is stored will make it less.
    pub(super) fn waits(&self) -> bool {
        self.account.is_over() && self.account.may_shrink()
    }

    /// Why the intake waits, if memory is the reason. `in_flight`: the committer has an epoch.
    pub(super) fn problem(&self, in_flight: bool) -> Option<String> {
        let Holds { staged, in_flight: before, copy, .. } = self.told;
        if staged >= self.account.staged_max() && in_flight {
            return Some(format!(
                "{} MiB of results wait for the epoch before, which has {} MiB and is not stored yet. More may not wait, so \
                 nothing is read: make the store faster, or give the process more memory (`--memory`)",
                mib(staged),
                mib(before + copy),
            ));
        }
        let MemoryView { used, limit, .. } = self.account.view();
        self.waits().then(|| {
            format!(
                "all pipelines of this process hold {} MiB and may hold {} MiB: nothing is read before one of them has \
                 stored an epoch. Make the store faster, or give the process more memory (`--memory`)",
                mib(used),
                mib(limit.unwrap_or(u64::MAX)),
            )
        })
    }

    /// What this lane and all lanes of the process hold.
    pub(super) fn view(&self) -> MemoryView {
        self.account.view()
    }
}
