//! The leadership of this instance (docs/design/leadership.md): what the lane, HTTP and the metrics see of it.
//!
//! A lane works while its instance leads. Its opening stands by until it does (`lane::open`), a task keeps it (`keeper`), and the
//! lane asks [`Lead::standing`] before it reads on. The chain is safe without all of this.

mod applicant;
mod elder;
mod keeper;
mod process;
mod take_over;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use sluicegate_chain::lead::claim::{Claim, LeadTerm};
use sluicegate_model::time::Clock;
use sluicegate_runtime::Runtime;

pub(crate) use applicant::Applicant;
pub(crate) use elder::Elder;
pub(crate) use keeper::{Done, Keeper, Work};
pub use process::{Processes, SeesProcesses};
pub use take_over::{TakeOver, TakeOverKind, TookOver};

/// How long somebody who leads no more waits for what is under way: landing later, it would undo the release.
pub(crate) const SETTLE_LIMIT: Duration = Duration::from_secs(1);
/// How long it waits for the store to hear of the release, what is under way included. What the store does not hear costs
/// others their patience.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// What an instance is to its pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It has not asked who leads: it prepares itself, or has ended.
    Opening,
    /// Another one leads.
    Standby,
    /// It leads.
    Leader,
}

impl Role {
    /// All roles, each once.
    pub const ALL: [Self; 3] = [Self::Opening, Self::Standby, Self::Leader];
}

/// Who leads, as this instance knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadView {
    /// What this instance is.
    pub role: Role,
    /// The newest term that it knows of.
    pub term: Option<LeadTerm>,
    /// Who leads: host and process.
    pub leader: Option<String>,
    /// Where the leader's HTTP can be reached, if it says so.
    pub url: Option<String>,
    /// Since when this instance is what it is, wall time in µs since 1970.
    pub since_micros: i64,
    /// The last time that it took over from another one, if it ever has.
    pub took_over: Option<TookOver>,
}

/// Whether a lane may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Leads,
    /// Nobody knows: no sign of life got through for too long. It reads nothing until that is settled.
    Doubts,
    /// Another instance leads, or nobody: the sentence says it.
    Lost(String),
}

/// Clones are the same instance's.
#[derive(Clone, Debug)]
pub struct Lead {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    /// Until when it may believe that it leads, in µs of the clock that counts suspend.
    until: AtomicU64,
    view: ArcSwap<LeadView>,
    lost: Mutex<Option<String>>,
    keeper: Mutex<Option<Keeper>>,
    take_overs: AtomicU64,
}

/// Of a lane that nobody else could run: it always leads.
const FOR_EVER: u64 = u64::MAX;

impl Lead {
    /// Of an instance that has not asked yet.
    pub fn new(clock: Clock) -> Self {
        let view = LeadView {
            role: Role::Opening,
            term: None,
            leader: None,
            url: None,
            since_micros: clock.wall_micros(),
            took_over: None,
        };
        let inner = Inner {
            clock,
            until: AtomicU64::new(0),
            view: ArcSwap::from_pointee(view),
            lost: Mutex::default(),
            keeper: Mutex::default(),
            take_overs: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Of a lane that nobody else could run, which leads without asking.
    pub fn alone(clock: Clock) -> Self {
        let lead = Self::new(clock);
        lead.inner.until.store(FOR_EVER, Ordering::Relaxed);
        let (role, term) = (Role::Leader, Some(LeadTerm::FIRST));
        lead.change(|before| LeadView { role, term, ..before });
        lead
    }

    /// Who leads, as far as is known.
    pub fn view(&self) -> Arc<LeadView> {
        self.inner.view.load_full()
    }

    /// How often this instance has won a term.
    pub fn take_overs(&self) -> u64 {
        self.inner.take_overs.load(Ordering::Relaxed)
    }

    /// It works in the place of another one.
    pub fn took_over(&self, kind: TakeOverKind, took: Duration) {
        let took_over = Some(TookOver { kind, took, at_micros: self.inner.clock.wall_micros() });
        self.change(|before| LeadView { took_over, ..before });
    }

    /// Whether the lane may go on.
    pub fn standing(&self) -> Standing {
        if let Some(lost) = &*self.lost() {
            return Standing::Lost(lost.clone());
        }
        match micros(self.inner.clock.with_suspend()) < self.inner.until.load(Ordering::Relaxed) {
            true => Standing::Leads,
            false => Standing::Doubts,
        }
    }

    /// Why a lane whose instance has a term does not go on, if it does not.
    pub(crate) fn problem(&self) -> Option<String> {
        (self.standing() == Standing::Doubts).then(|| {
            "no sign of life got through to the store for too long: reads nothing until it is clear who leads".to_owned()
        })
    }

    /// Whether it has a term, even if it cannot be sure of it now.
    pub(crate) fn has_term(&self) -> bool {
        let is_alone = self.inner.until.load(Ordering::Relaxed) == FOR_EVER;
        let is_kept = self.keeper().is_some();
        is_alone || (is_kept && self.lost().is_none())
    }

    /// Leads no more, and says so: another one need not wait.
    pub(crate) fn release(&self, runtime: &Runtime) {
        let keeper = {
            let mut slot = self.keeper();
            slot.take().inspect(|keeper| {
                // What it hears from now on changes nothing: see `while_kept`.
                keeper.stop();
                self.inner.until.store(0, Ordering::Relaxed);
            })
        };
        if let Some(keeper) = keeper {
            runtime.block_on(keeper.release(RELEASE_LIMIT));
            tracing::info!("released the leadership");
        }
        *self.lost() = None;
        if self.view().role == Role::Leader {
            self.show(Role::Opening, None);
        }
    }

    /// It stands by for whoever has won a term.
    pub fn follow(&self, claim: &Claim) {
        self.show(Role::Standby, Some(claim));
    }

    /// It has won a term.
    pub(crate) fn won(&self, claim: &Claim, keeper: Keeper) {
        *self.lost() = None;
        *self.keeper() = Some(keeper);
        self.inner.take_overs.fetch_add(1, Ordering::Relaxed);
        self.show(Role::Leader, Some(claim));
    }

    /// Has the keeper that `stop` ends say something, unless the term was released: an answer that comes at the same moment
    /// would have the instance believe again that it leads, or that it has lost the term that came after.
    fn while_kept(&self, stop: &CancellationToken, say: impl FnOnce(&Self)) {
        let _not_released_meanwhile = self.keeper();
        if !stop.is_cancelled() {
            say(self);
        }
    }

    /// May believe that it leads until then.
    pub(crate) fn extend(&self, until: Duration) {
        self.inner.until.store(micros(until), Ordering::Relaxed);
    }

    /// The next term is its own as well.
    fn renewed(&self, claim: &Claim) {
        self.inner.take_overs.fetch_add(1, Ordering::Relaxed);
        self.show(Role::Leader, Some(claim));
    }

    fn lose(&self, why: String) {
        self.inner.until.store(0, Ordering::Relaxed);
        *self.lost() = Some(why);
    }

    /// What it is now. `claim` is that of the newest term.
    fn show(&self, role: Role, claim: Option<&Claim>) {
        let wall = self.inner.clock.wall_micros();
        self.change(|before| LeadView {
            role,
            term: claim.map(|claim| claim.term).or(before.term),
            leader: claim.map(|claim| claim.instance.clone()),
            url: claim.and_then(|claim| claim.url.clone()),
            since_micros: if before.role == role { before.since_micros } else { wall },
            took_over: before.took_over,
        });
    }

    /// It stands by for an instance of an earlier version, which has no term.
    pub(crate) fn show_elder(&self, leader: Option<String>) {
        self.show(Role::Standby, None);
        self.change(|before| LeadView { leader: leader.clone(), url: None, ..before });
    }

    /// The lane's thread and the keeper may do so at a time.
    fn change(&self, to: impl Fn(LeadView) -> LeadView) {
        self.inner.view.rcu(|before| to(LeadView::clone(before)));
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.inner.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keeper(&self) -> std::sync::MutexGuard<'_, Option<Keeper>> {
        self.inner.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(FOR_EVER - 1)
}
