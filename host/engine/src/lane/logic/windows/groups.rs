//! Groups that lie in windows or panes of their own, and the call that touches them.

use super::aggregate::{Aggregate, Results};
use super::open::Looking;
use super::shape::{Fired, Until, Watching};
use super::update::{Answers, Owned};
use crate::lane::rows::project;
use sluicegate_model::time::Watermark;
use sluicegate_state::window::firing::Firing;
use sluicegate_state::window::{GroupPlace, KeyedState, OpenGroup, Touched, Watcher};

/// The groups of one worker.
#[derive(Default)]
pub(super) struct Groups {
    pub(super) state: KeyedState,
    touched: Touched,
}

impl Groups {
    /// None yet. `fires_once`: no window takes rows when it has fired.
    pub(super) fn new(fires_once: bool) -> Self {
        let state = if fires_once { KeyedState::firing_once() } else { KeyedState::default() };
        Self { state, touched: Touched::default() }
    }

    /// Adds the rows that the worker owns to the groups of their places.
    pub(super) fn update(
        &mut self,
        aggregate: &mut Aggregate<'_>,
        owned: Owned<'_>,
        answers: &mut Answers,
    ) {
        let Self { state, touched } = self;
        let Owned { prepared, placed, mine } = owned;
        state.begin(touched);
        // Indexes come ascending, so the runs of places are passed once.
        let (mut start, mut left) = (0, mine.unwrap_or_default());
        for (place, end) in &placed.places {
            let end = *end as usize;
            if mine.is_some() {
                let run = left.partition_point(|index| (*index as usize) < end);
                let run = left.split_off(..run).expect("it ends before its end");
                let rows = run.iter().map(|index| *index as usize);
                state.touch_run(*place, &placed.keys, rows, touched);
            } else {
                state.touch_run(*place, &placed.keys, start..end, touched);
            }
            start = end;
        }
        let row_of = |index: &u32| placed.rows[*index as usize];
        let picked: Option<Vec<u32>> = match mine {
            Some(mine) => Some(mine.iter().map(row_of).collect()),
            // Without a late row, and with one worker, the columns are handed on as they are.
            None => {
                (placed.rows.len() < prepared.rows.batch.num_rows()).then(|| placed.rows.clone())
            }
        };
        state.gather(touched);
        let inputs = &aggregate.plan.grouped.stage.inputs;
        let input = project(&prepared.rows.batch, inputs, picked.as_deref());
        let answer = aggregate.runner.update(&input, &touched.groups, &touched.states);
        state.scatter(touched, &answer.states, answer.refusals.iter().map(|refusal| refusal.row));
        let row = |row: u32| picked.as_ref().map_or(row, |picked| picked[row as usize]);
        let refused = answer.refusals.into_iter();
        answers.refused.extend(refused.map(|refusal| (row(refusal.row), refusal)));
    }

    /// Fires the groups that are due until there.
    pub(super) fn fire(&mut self, aggregate: &mut Aggregate<'_>, until: &Until) -> Fired {
        let mut results = Results::default();
        let firing = self.state.fire_run(until.group());
        aggregate.evaluate(&firing, &mut results);
        Fired { last: GroupPlace::last_of(&firing), ..Fired::of(&firing, results) }
    }

    /// Drops the windows that take no more rows, when all that was due has fired. Topics of updates hear the last word
    /// of each group.
    pub(super) fn close(&mut self, aggregate: &mut Aggregate<'_>, now: Watermark) -> Fired {
        let (mut fired, plan) = (Fired::default(), aggregate.plan);
        if plan.tells_updates && plan.corrects {
            let tell = |firing: &_| aggregate.evaluate(firing, &mut fired.closed);
            self.state.each_closing(now, plan.lateness, tell);
        }
        self.state.close(now, plan.lateness);
        fired.sorted()
    }

    /// The changed groups that have not fired, newest windows first.
    pub(super) fn changed(
        &mut self,
        aggregate: &mut Aggregate<'_>,
        Watching { watcher, .. }: Watching,
        max: usize,
    ) -> Results {
        let mut results = Results::default();
        let mut left = max;
        // What has fired was told to listeners by the firing, and to topics where it was the last word.
        let tells_again = watcher == Watcher::Outbox && aggregate.plan.corrects;
        for window in self.state.windows_mut().iter_mut().rev() {
            let mut ids = window.groups.take_changed(watcher, left);
            left -= ids.len();
            ids.retain(|id| tells_again || !window.groups.is_told(*id));
            let firing = Firing::of(window.place.bounds, &window.groups, &ids);
            aggregate.evaluate(&firing, &mut results);
        }
        results
    }

    /// Hands all groups to somebody who asks, newest windows first.
    pub(super) fn open(&self, aggregate: &mut Aggregate<'_>, looking: &mut Looking<'_>) {
        for window in self.state.windows().iter().rev() {
            let (bounds, groups) = (window.place.bounds, &window.groups);
            for id in groups.ids() {
                if looking.is_enough() {
                    return;
                }
                // What was told and has not changed stands as it was told.
                let told = u64::from(groups.is_told(id));
                let revision = groups.revision(id).saturating_sub(told);
                let (key, state) = (groups.key(id), groups.state(id));
                looking.find(aggregate, OpenGroup { bounds, key, state, revision });
            }
        }
    }

    /// Groups that changed and were not shown yet.
    pub(super) fn changed_len(&self) -> usize {
        let windows = self.state.windows().iter();
        windows.map(|window| window.groups.changed_len(Watcher::Live)).sum()
    }
}
