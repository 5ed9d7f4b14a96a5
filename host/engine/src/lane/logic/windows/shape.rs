//! The windows of one worker, whatever their shape: how rows find them, and how they fire. Which shape they have is
//! looked up once, when they are made; whoever works with them does not ask.

use std::collections::BTreeSet;

use super::aggregate::{Aggregate, Results};
use super::open::Looking;
use super::update::{Answers, Owned};
use crate::lane::logic::States;
use crate::lane::logic::placed::{Judge, Placed};
use crate::lane::rows::Rows;
use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_state::watermark::LaneClock;
use sluicegate_state::window::StateRow;
use sluicegate_state::window::firing::Firing;
use sluicegate_state::window::snapshot::{KnownClosed, Stored};
use sluicegate_state::window::{GroupPlace, NextRun, RunSize, Watcher};

/// The windows of one worker.
///
/// Between two calls the state is consistent: what has fired is not due any more, in memory as in what is stored.
pub(super) trait Shape: Send {
    /// Judges rows, and says where those on time go. Any worker does that: it looks at no state.
    fn place(&self, rows: &Rows, by: By<'_>, placed: &mut Placed);

    /// Adds the rows that the worker owns.
    fn update(&mut self, aggregate: &mut Aggregate<'_>, owned: Owned<'_>, answers: &mut Answers);

    /// Whether anything is due on the way from one watermark to another. Cheap, however many groups there are.
    fn has_due(&self, way: Way) -> bool;

    /// Whether anything that has fired has changed since, so that it is due again.
    fn has_changed(&self, fired: Watermark) -> bool {
        self.has_due(Way { before: fired, now: fired })
    }

    /// How far the next run goes. None: nothing is due.
    fn next_run(&mut self, way: Way, size: RunSize) -> Option<Until>;

    /// Fires what is due until there: that of the worker whose run ends first.
    fn fire(&mut self, aggregate: &mut Aggregate<'_>, way: Way, until: &Until) -> Fired;

    /// Whether closing windows is work. If it is not, they are closed all the same.
    fn is_closing(&self, now: Watermark, lateness: i64) -> bool;

    /// Drops the windows that take no more rows, when all that was due has fired.
    fn close(&mut self, aggregate: &mut Aggregate<'_>, way: Way) -> Fired;

    /// What has changed since a watcher looked last and has not fired, evaluated on copies. At most `max` groups are
    /// looked at.
    fn changed(&mut self, aggregate: &mut Aggregate<'_>, by: Watching, max: usize) -> Results;

    /// Hands the groups that take more rows to somebody who asks. Nothing changes by it.
    fn open(
        &mut self,
        aggregate: &mut Aggregate<'_>,
        watermark: Watermark,
        looking: &mut Looking<'_>,
    );

    /// How many groups may be looked at to show about so many of them.
    fn looked_at(&self, shown: usize) -> usize {
        shown
    }

    /// Groups that changed and were not shown yet.
    fn changed_len(&self) -> usize;

    /// Takes a group as a checkpoint gives it back.
    fn restore(&mut self, row: &StateRow<'_>);

    /// What the checkpoint knew of windows that are gone. All that were closed had ended by `closed`.
    fn restored(&mut self, _known: KnownClosed, _closed: Watermark) {}

    /// Whether windows fire once, so that groups that have fired need not be stored.
    fn fires_once(&self) -> bool {
        false
    }

    /// Where windows begin of which groups have fired, when all of them are restored.
    fn fired_windows(&self) -> Vec<EventTime> {
        Vec::new()
    }

    /// Groups of these have, of any worker: those that have not are due again.
    fn go_on_firing(&mut self, _fired: &BTreeSet<EventTime>) {}

    /// A checkpoint has all of it.
    fn set_saved(&mut self);

    /// What a checkpoint stores.
    fn stored(&self) -> Stored<'_>;

    /// Every accumulator that is not empty, always in the same order.
    fn states(&self) -> States<'_>;

    /// Replaces what [`Shape::states`] gives, in that order.
    fn set_states(&mut self, states: &mut dyn Iterator<Item = &[u8]>);

    /// Forgets what was derived with an aggregate that is gone.
    fn forget_derived(&mut self) {}

    /// Groups.
    fn groups_len(&self) -> usize;

    /// Bytes that they hold.
    fn bytes(&self) -> usize;

    /// Bytes that the order of what is due holds beside them.
    fn firing_bytes(&self) -> usize {
        0
    }
}

/// What judges the rows of a chunk.
#[derive(Clone, Copy)]
pub(super) struct By<'b> {
    pub(super) judge: Judge,
    pub(super) clock: &'b LaneClock,
    /// µs.
    pub(super) lateness: i64,
}

/// From where to where the watermark goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) before: Watermark,
    pub(super) now: Watermark,
}

/// Who looks at groups that have not fired, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watching {
    pub(super) watcher: Watcher,
    pub(super) watermark: Watermark,
}

/// Where a run ends. The first of several is the least.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Until {
    /// Nowhere yet: there is more to be sorted than a run has time for.
    Sorting,
    /// With this group, in the order in which groups fire.
    Group(GroupPlace),
    /// With the windows that end by then.
    Time(Watermark),
    /// With all that is due.
    All,
}

/// What a run makes, and how many groups it was.
#[derive(Default)]
pub(super) struct Fired {
    pub(super) results: Results,
    /// All groups of the windows that fired before and take no more rows, if somebody is to be told.
    pub(super) closed: Results,
    pub(super) groups: usize,
    /// The last of them, where a checkpoint is to say how far groups have fired.
    pub(super) last: Option<GroupPlace>,
}

impl Until {
    /// That of a run of groups.
    pub(super) fn of(run: NextRun) -> Option<Self> {
        match run {
            NextRun::Nothing => None,
            NextRun::Sorting => Some(Self::Sorting),
            NextRun::To(last) => Some(Self::Group(last)),
            NextRun::All => Some(Self::All),
        }
    }

    /// The last group of the run; none if it is all that is due.
    pub(super) fn group(&self) -> Option<&GroupPlace> {
        match self {
            Self::Group(last) => Some(last),
            Self::Sorting | Self::Time(_) | Self::All => None,
        }
    }
}

impl Fired {
    /// Sorts what came of a run.
    pub(super) fn sorted(mut self) -> Self {
        // What cannot be evaluated has been a dead letter since the window fired.
        self.closed.condemned.clear();
        self.results.sort();
        self.closed.sort();
        self
    }

    /// What came of groups that fired one by one.
    pub(super) fn of(firing: &Firing, results: Results) -> Self {
        Self { groups: firing.len(), results, ..Self::default() }.sorted()
    }
}
