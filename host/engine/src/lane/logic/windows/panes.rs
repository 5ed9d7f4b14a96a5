//! Windows that overlap: rows lie in panes, of which windows are merged.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::aggregate::{Aggregate, Results};
use super::groups::Groups;
use super::open::Looking;
use super::place::place_in_slides;
use super::shape::{By, Fired, Shape, Until, Watching, Way};
use super::update::{Answers, Owned};
use crate::lane::logic::States;
use crate::lane::logic::placed::Placed;
use crate::lane::rows::Rows;
use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_model::varlen::Varlen;
use sluicegate_state::window::StateRow;
use sluicegate_state::window::groups::GroupTable;
use sluicegate_state::window::sliding::{Progress, Told};
use sluicegate_state::window::snapshot::Stored;
use sluicegate_state::window::{RunSize, SlideTables, Slides, SomeKeys, Watcher};

/// Panes in which keys are looked up for one refresh of sliding windows: some milliseconds of work. Windows of many
/// panes show fewer keys at a time.
const LOOKUPS_MAX: usize = 50_000;

/// Keys that are compared with what is asked for between two looks at the clock.
const LOOKED_AT_ONCE: usize = 256;

/// The panes of one worker.
pub(super) struct Panes {
    slides: Slides,
    groups: Groups,
    /// The panes, merged. Derived from the groups with the present aggregate.
    tables: SlideTables,
}

impl Panes {
    /// Without rows.
    pub(super) fn new(slides: Slides) -> Self {
        Self { slides, groups: Groups::new(false), tables: SlideTables::default() }
    }

    /// The keys that somebody asks for, by the window that fires next of those that see them.
    fn next_windows(
        &self,
        aggregate: &Aggregate<'_>,
        watermark: Watermark,
        looking: &mut Looking<'_>,
    ) -> BTreeMap<i128, GroupTable> {
        let mut left = self.looked_at(looking.rows_max());
        let mut open: BTreeMap<i128, GroupTable> = BTreeMap::new();
        for pane in self.groups.state.windows().iter().rev() {
            let (start, skipped) = (pane.place.bounds.start, pane.place.skipped);
            let window = self.slides.next_window(start, skipped, watermark);
            let ids: Vec<u32> = pane.groups.ids().collect();
            for ids in ids.chunks(LOOKED_AT_ONCE) {
                if left == 0 || !looking.goes_on() {
                    looking.cut();
                    return open;
                }
                let wanted = looking.wanted(aggregate, ids.iter().map(|id| pane.groups.key(*id)));
                looking.pass_over(ids.len() - wanted.len());
                for id in wanted.into_iter().map(|index| ids[index]) {
                    let keys = open.entry(window).or_default();
                    let before = keys.len();
                    keys.find_or_insert(pane.groups.hash(id), pane.groups.key(id));
                    // One that another pane has brought stands for both.
                    match keys.len() > before {
                        true => left = left.saturating_sub(1),
                        false => looking.pass_over(1),
                    }
                }
            }
        }
        open
    }

    /// When the next of the windows ends that the watermark passes on its way.
    fn next_end(&self, way: Way) -> Option<EventTime> {
        let end = SlideTables::next_end(&self.slides, &self.groups.state, way.before);
        end.filter(|end| way.now.has_passed(*end))
    }

    /// Corrects what has changed, fires the windows that end on the way, and drops the panes that take no more rows.
    fn fire_all(&mut self, aggregate: &mut Aggregate<'_>, Way { before, now }: Way) -> Fired {
        let Self { slides, groups, tables } = self;
        let plan = aggregate.plan;
        let tells_closed = plan.tells_updates;
        let progress = Progress { before, now, lateness: plan.lateness, tells_closed };
        let mut fired = Fired::default();
        // Merging a window and evaluating it take turns.
        let aggregate = RefCell::new(aggregate);
        let mut merge =
            |left: &Varlen, right: &Varlen| aggregate.borrow_mut().runner.merge(left, right);
        tables.fire(slides, &mut groups.state, progress, &mut merge, |bounds, merged, told| {
            let is_closed = told == Told::Closed;
            let to = if is_closed { &mut fired.closed } else { &mut fired.results };
            aggregate.borrow_mut().evaluate_merged(bounds, &merged, to);
        });
        fired.sorted()
    }
}

impl Shape for Panes {
    fn place(&self, rows: &Rows, by: By<'_>, placed: &mut Placed) {
        place_in_slides(&self.slides, rows, by, placed);
    }

    fn update(&mut self, aggregate: &mut Aggregate<'_>, owned: Owned<'_>, answers: &mut Answers) {
        self.groups.update(aggregate, owned, answers);
    }

    fn has_due(&self, way: Way) -> bool {
        self.next_end(way).is_some()
    }

    fn has_changed(&self, fired: Watermark) -> bool {
        SlideTables::has_corrections(&self.slides, &self.groups.state, fired)
    }

    /// A window, because its panes are merged at once.
    fn next_run(&mut self, way: Way, _size: RunSize) -> Option<Until> {
        self.next_end(way).map(|end| Until::Time(Watermark::at(end)))
    }

    fn fire(&mut self, aggregate: &mut Aggregate<'_>, way: Way, until: &Until) -> Fired {
        let now = match until {
            Until::Time(end) => *end,
            Until::Sorting | Until::Group(_) | Until::All => way.now,
        };
        self.fire_all(aggregate, Way { now, ..way })
    }

    fn is_closing(&self, _now: Watermark, _lateness: i64) -> bool {
        true
    }

    fn close(&mut self, aggregate: &mut Aggregate<'_>, way: Way) -> Fired {
        self.fire_all(aggregate, way)
    }

    /// For listeners of the windows that see a change the one that fires next, for topics each that takes more rows.
    /// `max` bounds the groups of panes that are looked at.
    fn changed(
        &mut self,
        aggregate: &mut Aggregate<'_>,
        Watching { watcher, watermark }: Watching,
        max: usize,
    ) -> Results {
        let Self { slides, groups, .. } = self;
        let closed = watermark.minus(aggregate.plan.lateness);
        let mut left = max;
        let mut changed: BTreeMap<i128, GroupTable> = BTreeMap::new();
        for pane in groups.state.windows_mut().iter_mut().rev() {
            let ids = pane.groups.take_changed(watcher, left);
            left -= ids.len();
            if ids.is_empty() {
                continue;
            }
            let (start, skipped) = (pane.place.bounds.start, pane.place.skipped);
            let windows = match watcher {
                Watcher::Live => {
                    let next = slides.next_window(start, skipped, watermark);
                    next..next + 1
                }
                Watcher::Outbox => slides.open_windows(start, skipped, closed),
            };
            for window in windows {
                let keys = changed.entry(window).or_default();
                for id in &ids {
                    keys.find_or_insert(pane.groups.hash(*id), pane.groups.key(*id));
                }
            }
        }
        let (mut results, state) = (Results::default(), &groups.state);
        let mut some = SomeKeys::of(changed.values());
        for (window, keys) in changed {
            let mut merge = |left: &Varlen, right: &Varlen| aggregate.runner.merge(left, right);
            let mut merged = some.of_window(slides, state, window, &keys, &mut merge);
            merged.set_revisions(|hash, key| state.revision(window, hash, key));
            aggregate.evaluate_merged(slides.bounds(window), &merged, &mut results);
        }
        results
    }

    /// Of the windows that overlap the one that fires next, which has most of what it will have.
    fn open(
        &mut self,
        aggregate: &mut Aggregate<'_>,
        watermark: Watermark,
        looking: &mut Looking<'_>,
    ) {
        let open = self.next_windows(aggregate, watermark, looking);
        let Self { slides, groups, .. } = self;
        for (window, keys) in open {
            looking.evaluate_window(&keys, |some, results| {
                let mut merge = |left: &Varlen, right: &Varlen| aggregate.runner.merge(left, right);
                let mut whole = SomeKeys::of(std::iter::once(some));
                let mut merged = whole.of_window(slides, &groups.state, window, some, &mut merge);
                // A window that has fired is corrected in the step in which it changes: it stands as it was last told.
                let last = |fired: u64| fired.saturating_sub(1);
                merged.set_revisions(|hash, key| last(groups.state.revision(window, hash, key)));
                aggregate.evaluate_merged(slides.bounds(window), &merged, results);
            });
        }
    }

    fn looked_at(&self, shown: usize) -> usize {
        shown.min(LOOKUPS_MAX / self.groups.state.windows().len().max(1)).max(1)
    }

    fn changed_len(&self) -> usize {
        self.groups.changed_len()
    }

    fn restore(&mut self, row: &StateRow<'_>) {
        if row.is_fired {
            self.groups.state.restore_fired(&self.slides, row);
        } else {
            self.groups.state.restore(row);
        }
    }

    fn set_saved(&mut self) {
        self.groups.state.set_saved();
    }

    fn stored(&self) -> Stored<'_> {
        Stored::Windows(&self.groups.state)
    }

    fn states(&self) -> States<'_> {
        Box::new(self.groups.state.states())
    }

    fn set_states(&mut self, mut states: &mut dyn Iterator<Item = &[u8]>) {
        self.groups.state.set_states(&mut states);
        // What was merged of the states before is in their layout.
        self.forget_derived();
    }

    fn forget_derived(&mut self) {
        self.tables = SlideTables::default();
    }

    fn groups_len(&self) -> usize {
        self.groups.state.groups_len()
    }

    fn bytes(&self) -> usize {
        self.groups.state.bytes() + self.tables.bytes()
    }
}
