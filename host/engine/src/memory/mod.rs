//! What the lanes of a process hold in memory, against one limit for all of them.
//!
//! What a lane cannot give back comes off the limit first: its state and a copy of it (every checkpoint makes one), the
//! memory of its plugins, and what it may read ahead. What is left is divided among the lanes. Half of a part is for
//! what is staged, the other half for the epoch on its way to the store. A full half brings the barrier early, and the
//! intake waits if the epoch before is not durable yet. So a store that hangs holds up its own lane only.
//!
//! States may grow while other lanes have their parts full. If all lanes together hold more than the limit, all of them
//! wait until an epoch is stored. If there is none to wait for, the lane that holds most halts.
//!
//! Small files of tables are put together in what is free: a quarter of it at most, old and new ones together. Where that is too
//! little they wait, since nobody waits for them.
//!
//! A lane tells what it holds once a step, never by row. It tells totals, so no count can drift.

mod part;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

pub use part::{PART_LEAST, TooLittle};
use part::{Part, part_of};

/// Encoded files and messages of a lane that wait for the barrier hold at most so much, whatever the limit.
const STAGED_BYTES_MAX: u64 = 256 << 20;
/// What lanes cannot give back leaves at least this part of the limit to everything else.
const FREE_PART: u64 = 8;
/// Files of a lane's tables that are put together have this part of what is free.
const COMPACTION_PART: u64 = 4;

/// The memory of a process. Clones are the same.
#[derive(Clone, Debug)]
pub struct Memory {
    limit: u64,
    /// Lanes that share it, opened or not.
    shared_by: u64,
    lanes: Arc<RwLock<Vec<Arc<Held>>>>,
}

/// What one lane holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// Keys and accumulators.
    pub state: u64,
    /// What is kept beside them for a time: the copy that is on its way to the store, the order in which they fire.
    pub copy: u64,
    /// Linear memory of the plugins' instances.
    pub plugins: u64,
    /// Files and messages that wait for the barrier.
    pub staged: u64,
    /// Files of the epoch that is not durable yet, and messages that are not delivered.
    pub in_flight: u64,
}

/// What a lane holds, and all of them together, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryView {
    /// By this lane.
    pub lane: Holds,
    /// This lane may read ahead so much, and work on it in a turn.
    pub input: u64,
    /// Files of this lane's tables that are put together just now.
    pub compaction: u64,
    /// By all lanes, with what they may read ahead.
    pub used: u64,
    /// What all lanes may hold; none if that is not known.
    pub limit: Option<u64>,
    /// How large the state of this lane may grow, as things are.
    pub state_max: u64,
}

/// A lane's part. Clones are the same.
#[derive(Clone, Debug)]
pub struct Account {
    memory: Memory,
    held: Arc<Held>,
    part: Part,
}

/// More than the limit that no lane can give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded {
    /// Of this lane, the one with the most.
    pub lane: Holds,
    /// Of all lanes: states and their copies, plugins, what is read ahead.
    pub kept: u64,
    /// What all lanes may hold.
    pub limit: u64,
}

impl fmt::Display for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lane: Holds { state, plugins, .. }, kept, limit } = *self;
        write!(
            f,
            "open windows and keys hold {} MiB, their copy for a checkpoint as much, and plugins {} MiB. With what the other \
             pipelines keep and what is read ahead that makes {} MiB. It must leave an eighth of `--memory` free, which is {} \
             MiB: give the process more, or use shorter windows or fewer keys",
            mib(state),
            mib(plugins),
            mib(kept),
            mib(limit)
        )
    }
}

/// Rounded up: what is little is not nothing.
pub(crate) fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

#[derive(Debug)]
struct Held {
    state: AtomicU64,
    copy: AtomicU64,
    plugins: AtomicU64,
    staged: AtomicU64,
    in_flight: AtomicU64,
    /// Told by what puts files together, beside the lane.
    compaction: AtomicU64,
    /// Fixed.
    input: u64,
}

impl Held {
    fn holds(&self) -> Holds {
        Holds {
            state: self.state.load(Relaxed),
            copy: self.copy.load(Relaxed),
            plugins: self.plugins.load(Relaxed),
            staged: self.staged.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
        }
    }

    /// What the lane cannot give back: its state, the copy that the next checkpoint makes, plugins, what it reads ahead.
    fn kept(&self) -> u64 {
        let Holds { state, copy, plugins, .. } = self.holds();
        self.input.saturating_add(state).saturating_add(state.max(copy)).saturating_add(plugins)
    }

    /// What goes once an epoch is stored, or files are put together.
    fn passing(&self) -> u64 {
        let Holds { staged, in_flight, .. } = self.holds();
        staged.saturating_add(in_flight).saturating_add(self.compaction())
    }

    fn compaction(&self) -> u64 {
        self.compaction.load(Relaxed)
    }
}

impl Holds {
    fn sum(&self) -> u64 {
        let Self { state, copy, plugins, staged, in_flight } = *self;
        [state, copy, plugins, staged, in_flight].into_iter().fold(0, u64::saturating_add)
    }
}

impl Memory {
    /// Of a process with so many lanes, which may hold `limit` bytes together.
    ///
    /// # Errors
    ///
    /// [`TooLittle`] if a lane's part would be less than [`PART_LEAST`].
    pub fn new(limit: u64, lanes: usize) -> Result<Self, TooLittle> {
        let shared_by = (lanes as u64).max(1);
        part::check(limit, shared_by)?;
        Ok(Self { limit, shared_by, lanes: Arc::default() })
    }

    /// Without a limit.
    pub fn unlimited() -> Self {
        Self { limit: u64::MAX, shared_by: 1, lanes: Arc::default() }
    }

    /// A part for one lane more. It holds nothing. `ahead`: what its source reads ahead, if that does not go by the part.
    /// `turn`: bytes of the records of a turn, if that much fits.
    ///
    /// # Errors
    ///
    /// [`TooLittle`] if that is more than half of its part.
    pub fn open(&self, ahead: Option<u64>, turn: u64) -> Result<Account, TooLittle> {
        let part = part_of(self.limit, self.shared_by, ahead, turn)?;
        let held = Arc::new(Held {
            state: AtomicU64::default(),
            copy: AtomicU64::default(),
            plugins: AtomicU64::default(),
            staged: AtomicU64::default(),
            in_flight: AtomicU64::default(),
            compaction: AtomicU64::default(),
            input: part.input(),
        });
        self.lanes.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&held));
        Ok(Account { memory: self.clone(), held, part })
    }

    fn lanes(&self) -> RwLockReadGuard<'_, Vec<Arc<Held>>> {
        self.lanes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn sum(&self, of: impl Fn(&Held) -> u64) -> u64 {
        sum(&self.lanes(), of)
    }

    /// Of what is free: what files that are put together may hold.
    fn compaction_max(&self, lanes: &[Arc<Held>]) -> u64 {
        let taken = sum(lanes, |held| held.kept().saturating_add(held.passing()));
        self.limit.saturating_sub(taken) / COMPACTION_PART
    }

    /// What lanes may keep.
    fn kept_max(&self) -> u64 {
        self.limit - self.limit / FREE_PART
    }
}

impl Account {
    /// Tells what the lane holds now.
    pub fn tell(&self, holds: Holds) {
        let Holds { state, copy, plugins, staged, in_flight } = holds;
        self.held.state.store(state, Relaxed);
        self.held.copy.store(copy, Relaxed);
        self.held.plugins.store(plugins, Relaxed);
        self.held.staged.store(staged, Relaxed);
        self.held.in_flight.store(in_flight, Relaxed);
    }

    /// What the source may read ahead, in bytes.
    pub fn ahead(&self) -> u64 {
        self.part.ahead
    }

    /// What the records of a turn may have, in bytes.
    pub fn turn_max(&self) -> usize {
        usize::try_from(self.part.turn).unwrap_or(usize::MAX)
    }

    /// What a run of chunks of a turn may make, in bytes.
    pub fn made_max(&self) -> usize {
        usize::try_from(self.part.made).unwrap_or(usize::MAX)
    }

    /// How much the lane may stage, in bytes, before its barrier comes early.
    pub fn staged_max(&self) -> u64 {
        let taken = self.memory.sum(|held| held.kept().saturating_add(held.compaction()));
        let left = self.memory.limit.saturating_sub(taken);
        (left / self.memory.shared_by / 2).min(STAGED_BYTES_MAX)
    }

    /// Whether all lanes together hold more than the limit, or will with their next copies.
    pub fn is_over(&self) -> bool {
        self.memory.sum(|held| held.kept().saturating_add(held.passing())) > self.memory.limit
    }

    /// Whether some lane holds what goes once an epoch is stored, or files are put together.
    pub fn may_shrink(&self) -> bool {
        self.memory.sum(Held::passing) > 0
    }

    /// What files of its tables may hold that are put together, old and new, in bytes.
    pub fn compaction_max(&self) -> u64 {
        self.memory.compaction_max(&self.memory.lanes())
    }

    /// Sets so much aside for them until what it returns is dropped. None: there is no room now. One group of files of a lane at a
    /// time.
    pub fn set_aside(&self, bytes: u64) -> Option<Aside> {
        // Two lanes that look at the same moment would each take a part of the same room.
        let lanes = self.memory.lanes.write().unwrap_or_else(PoisonError::into_inner);
        if bytes > self.memory.compaction_max(&lanes) {
            return None;
        }
        self.held.compaction.store(bytes, Relaxed);
        Some(Aside { held: Arc::clone(&self.held) })
    }

    /// Refuses the lane that keeps most, if what lanes keep leaves too little.
    ///
    /// # Errors
    ///
    /// [`Crowded`], for that lane only: without it the others have room.
    pub fn check(&self) -> Result<(), Crowded> {
        let kept = self.memory.sum(Held::kept);
        if kept <= self.memory.kept_max() {
            return Ok(());
        }
        let lanes = self.memory.lanes();
        let most = lanes.iter().map(|held| held.kept()).max().unwrap_or(0);
        if self.held.kept() < most {
            return Ok(());
        }
        Err(Crowded { lane: self.held.holds(), kept, limit: self.memory.limit })
    }

    /// What this lane and all lanes of the process hold.
    pub fn view(&self) -> MemoryView {
        let Self { memory, held, .. } = self;
        let others = memory.sum(Held::kept).saturating_sub(held.kept());
        let own = held.input.saturating_add(held.plugins.load(Relaxed));
        MemoryView {
            lane: held.holds(),
            input: held.input,
            compaction: held.compaction(),
            used: memory.sum(|held| {
                held.holds().sum().saturating_add(held.input).saturating_add(held.compaction())
            }),
            limit: Some(memory.limit).filter(|limit| *limit < u64::MAX),
            state_max: memory.kept_max().saturating_sub(others).saturating_sub(own) / 2,
        }
    }
}

fn sum(lanes: &[Arc<Held>], of: impl Fn(&Held) -> u64) -> u64 {
    lanes.iter().map(|held| of(held)).fold(0, u64::saturating_add)
}

/// Memory of a lane that is set aside for files that are put together.
#[derive(Debug)]
pub struct Aside {
    held: Arc<Held>,
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.held.compaction.store(0, Relaxed);
    }
}

/// A part of a memory without a limit, for a lane that is alone.
impl Default for Account {
    fn default() -> Self {
        Memory::unlimited().open(None, 1 << 30).expect("there is no limit")
    }
}

#[cfg(test)]
mod tests;
