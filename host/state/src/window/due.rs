//! What is due at a watermark, in the order of window and key, and how far the next run over it goes.
//!
//! ```text
//!  due         window 0: a b c d e f    window 10: a c d
//!  runs        ├────────┤├────────────────────┤├───────┤
//! ```

use std::collections::VecDeque;

use sluicegate_model::time::EventTime;
use sluicegate_model::window::WindowBounds;

use super::cuts::Cuts;
use super::firing::{Firing, OpenGroup};
use super::group_firing::Candidates;
use super::groups::GroupTable;
use super::row::PlaceId;

/// Keys and accumulators of a run, about: what fires is copied.
const RUN_BYTES: usize = if cfg!(test) { 4_096 } else { 8 << 20 };

/// A group, in the order in which groups fire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupPlace {
    pub(super) start: EventTime,
    pub(super) end: EventTime,
    pub(super) key: Box<[u8]>,
}

/// The same of a group that stands in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FiringOrder<'g> {
    start: EventTime,
    end: EventTime,
    key: &'g [u8],
}

impl<'g> FiringOrder<'g> {
    /// Of the group of a window and key.
    pub(super) fn of(bounds: WindowBounds, key: &'g [u8]) -> Self {
        Self { start: bounds.start, end: bounds.end, key }
    }
}

impl GroupPlace {
    /// Of the last of some groups that fire.
    pub fn last_of(firing: &Firing) -> Option<Self> {
        let OpenGroup { bounds, key, .. } = firing.group(firing.len().checked_sub(1)?);
        Some(Self::of(FiringOrder::of(bounds, key)))
    }

    /// Copies the key.
    pub(super) fn of(order: FiringOrder<'_>) -> Self {
        Self { start: order.start, end: order.end, key: order.key.into() }
    }

    pub(super) fn is_before(&self, group: FiringOrder<'_>) -> bool {
        FiringOrder { start: self.start, end: self.end, key: &self.key } < group
    }
}

/// What a worker does in one run.
#[derive(Clone, Copy, Debug)]
pub struct RunSize {
    /// At most so many groups fire; at least one.
    pub groups: usize,
    /// At least so many are put into their order, if there are as many, before the outside is heard.
    pub sorted: usize,
}

/// How far the next run of one worker goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextRun {
    /// Nothing is due.
    Nothing,
    /// That is not known: there is more to be sorted than a run has time for.
    Sorting,
    /// Up to and with this group.
    To(GroupPlace),
    /// Over all groups that are due.
    All,
}

impl NextRun {
    /// That of so many groups that are in order, which may be `all` that are due. `bytes` and `place` are of one of them.
    pub(super) fn of(
        ready: usize,
        all: bool,
        size: RunSize,
        bytes: impl Fn(usize) -> usize,
        place: impl Fn(usize) -> GroupPlace,
    ) -> Self {
        let most = ready.min(size.groups);
        let sums = (0..most).scan(0, |sum, at| {
            *sum += bytes(at);
            Some(*sum)
        });
        let fit = sums.take_while(|sum| *sum <= RUN_BYTES).count().max(1);
        match ready {
            0 if all => Self::Nothing,
            0 => Self::Sorting,
            _ if fit < most => Self::To(place(fit - 1)),
            ready if ready >= size.groups => Self::To(place(size.groups - 1)),
            _ if all => Self::All,
            _ => Self::Sorting,
        }
    }
}

/// The groups of a worker that fire next.
#[derive(Debug, Default)]
pub(super) struct DueGroups {
    /// By window and key.
    pub(super) ready: VecDeque<(PlaceId, u32)>,
    /// The window whose groups are next.
    pub(super) window: Option<DueWindow>,
    /// Windows with groups that are due, as long as none of a window has fired, on any worker.
    pub(super) begun: VecDeque<PlaceId>,
    /// Those of them that fire for the first time.
    pub(super) first: Vec<PlaceId>,
}

/// A window whose groups are put into the order of their keys.
#[derive(Debug)]
pub(super) struct DueWindow {
    pub(super) id: PlaceId,
    /// Those that were not looked at.
    candidates: Candidates,
    pub(super) groups: Cuts<u32>,
}

impl DueWindow {
    pub(super) fn of(id: PlaceId, table: &mut GroupTable) -> Self {
        let candidates = table.take_candidates();
        let groups = Cuts::with_capacity(candidates.len());
        Self { id, candidates, groups }
    }

    /// Sorts some more. How many candidates it looked at; none if all are sorted.
    pub(super) fn sort_more(&mut self, table: &mut GroupTable, most: usize) -> usize {
        let mut looked_at = 0;
        for id in self.candidates.by_ref().take(most) {
            looked_at += 1;
            if table.is_due(id) {
                self.groups.push(id);
            }
        }
        self.groups.end_cut(|id| table.key(id));
        looked_at
    }
}

/// Where a session stands that fires next.
#[derive(Clone, Copy, Debug)]
pub(super) struct DueSession {
    /// The place of its key.
    pub(super) key: u32,
    /// Its index among the sessions of the key.
    pub(super) index: u32,
}

/// Sessions that fire next, by window and key.
#[derive(Debug, Default)]
pub(super) struct DueSessions {
    pub(super) ready: VecDeque<DueSession>,
    /// Those behind them.
    pub(super) sorted: Cuts<DueSession>,
}
