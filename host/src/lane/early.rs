//! Early results: groups that changed and whose windows take more rows, evaluated on copies. The state stays as it is.

use std::collections::BTreeMap;

use crate::time::Watermark;
use crate::varlen::Varlen;
use crate::window::firing::Firing;
use crate::window::groups::GroupTable;
use crate::window::{Slides, SomeKeys, Watcher, WindowAssigner};

use super::fire::{Results, evaluate, evaluate_merged};
use super::plan::Plan;
use super::pool::Worker;

/// What changed since the watcher looked last, at most `max` groups of it; the rest stays for the next time.
pub(super) fn early_results(
    worker: &mut Worker,
    plan: &Plan,
    windows: WindowAssigner,
    (watcher, watermark): (Watcher, Watermark),
    max: usize,
) -> Results {
    let mut results = match windows {
        WindowAssigner::Slides(slides) if slides.overlap() => {
            changed_panes(worker, plan, &slides, (watcher, watermark), max)
        }
        WindowAssigner::Slides(_) | WindowAssigner::Global { .. } => {
            changed(worker, plan, watcher, max)
        }
        WindowAssigner::Sessions(_) => changed_sessions(worker, plan, max),
    };
    // A group that cannot be evaluated yet is no dead letter: it may be when its window fires.
    results.condemned.clear();
    results.sort();
    results
}

/// At most `max` of the worker's changed groups, newest windows first.
fn changed(worker: &mut Worker, plan: &Plan, watcher: Watcher, max: usize) -> Results {
    let mut results = Results::default();
    let Worker { state, aggregate, .. } = worker;
    let runner = aggregate.as_mut().expect("windows have an aggregate");
    let mut left = max;
    for window in state.windows_mut().iter_mut().rev() {
        let mut ids = window.groups.take_changed(watcher, left);
        left -= ids.len();
        // What has fired was told to listeners by the firing, and to topics where it was the last word. (Panes are asked for their
        // next window, which has not.)
        let tells_again = watcher == Watcher::Outbox && plan.corrects;
        ids.retain(|id| tells_again || !window.groups.is_told(*id));
        let firing = Firing::of(window.place.bounds, &window.groups, &ids);
        evaluate(runner, plan, &firing, &mut results);
    }
    results
}

/// The sessions in which at most `max` keys are now. There is one watcher of them.
fn changed_sessions(worker: &mut Worker, plan: &Plan, max: usize) -> Results {
    let mut results = Results::default();
    let Worker { sessions, aggregate, .. } = worker;
    let runner = aggregate.as_mut().expect("windows have an aggregate");
    evaluate(runner, plan, &sessions.take_changed(max), &mut results);
    results
}

/// The changed groups of sliding windows: for listeners of the windows that see a change the one that fires next, for topics
/// each that takes more rows. `max` bounds the groups of panes that are looked at.
fn changed_panes(
    worker: &mut Worker,
    plan: &Plan,
    slides: &Slides,
    (watcher, watermark): (Watcher, Watermark),
    max: usize,
) -> Results {
    let Worker { state, aggregate, .. } = worker;
    let runner = aggregate.as_mut().expect("windows have an aggregate");
    let mut left = max;
    let mut changed: BTreeMap<i128, GroupTable> = BTreeMap::new();
    for pane in state.windows_mut().iter_mut().rev() {
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
            Watcher::Outbox => slides.open_windows(start, skipped, watermark.minus(plan.lateness)),
        };
        for window in windows {
            let keys = changed.entry(window).or_default();
            for id in &ids {
                keys.find_or_insert(pane.groups.hash(*id), pane.groups.key(*id));
            }
        }
    }
    let mut results = Results::default();
    let mut some = SomeKeys::of(changed.values());
    for (window, keys) in changed {
        let mut merge = |left: &Varlen, right: &Varlen| runner.merge(left, right);
        let mut merged = some.of_window(slides, state, (window, &keys), &mut merge);
        merged.set_revisions(|hash, key| state.revision(window, hash, key));
        evaluate_merged(runner, plan, slides.bounds(window), &merged, &mut results);
    }
    results
}
