//! What the groups of a large window cost: to hold, to store, to take up again, and to fire.
//!
//! One worker's windows, without plugins and without a store: what is measured is the host's own part. The lane divides each of the times by
//! its workers.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use sluicegate_model::time::{Clock, EventTime};
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;
use sluicegate_state::sections::Sections;
use sluicegate_state::shards::Shards;
use sluicegate_state::window::firing::GROUPS_PER_CALL;
use sluicegate_state::window::resolve::resolve;
use sluicegate_state::window::snapshot::{self, FiredSoFar, Stored};
use sluicegate_state::window::{KeyedState, NextRun, Place, RunSize, TableHash, Touched};

use crate::child;
use crate::keys::resident_bytes;
use crate::plan::{Sizes, say};
use crate::report::{Figures, Unit};

/// Of one size.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    /// What the state says that it holds, and what the process has more in memory.
    counted_bytes_per_group: f64,
    resident_bytes_per_group: f64,
    /// Encoding all of it, and what has changed when a group in a hundred has: the lane stands still.
    base_ms: f64,
    delta_ms: f64,
    /// Bytes of that delta, of a base's.
    delta_percent: f64,
    /// Taking up the base and the delta.
    open_ms: f64,
    /// The longest piece of work of a firing, between two of which others are heard.
    pause_ms_max: f64,
    /// What the process has more in memory while it fires.
    firing_extra_mib: f64,
}

/// All sizes, each in a process of its own.
pub(crate) fn measure(sizes: &Sizes, figures: &mut Figures) -> Result<()> {
    for groups in sizes.groups {
        say(&format!("a window of {groups} groups"));
        let state: State = child::run(&["state", &groups.to_string()])?;
        let millions = *groups as f64 / 1e6;
        let mut add = |name: &str, unit, value| {
            figures.add(format!("{name}.{millions}m"), unit, value);
        };
        add("state.counted_bytes_per_group", Unit::Bytes, state.counted_bytes_per_group);
        add("state.bytes_per_group", Unit::Bytes, state.resident_bytes_per_group);
        add("state.base_stop_ms", Unit::Millis, state.base_ms);
        add("state.stop_ms", Unit::Millis, state.delta_ms);
        add("state.checkpoint_bytes_percent", Unit::Percent, state.delta_percent);
        add("state.open_ms", Unit::Millis, state.open_ms);
        add("firing.pause_ms_max", Unit::Millis, state.pause_ms_max);
        add("firing.extra_memory_mib", Unit::Mib, state.firing_extra_mib);
    }
    Ok(())
}

/// Keys and accumulators of 16 bytes.
pub(crate) fn run(groups: usize) -> Result<State> {
    let before = resident_bytes()?;
    let mut state = KeyedState::firing_once();
    touch(&mut state, 0..groups, 1);
    let (counted, resident) = (state.bytes(), resident_bytes()?.saturating_sub(before));
    let (base, base_took) = timed(|| {
        let mut sections = Sections::default();
        snapshot::rows(Stored::Windows(&state), 1, &mut sections);
        sections
    });
    let header = snapshot::header(&[Stored::Windows(&state)], FiredSoFar::default());
    let base = piece(header, base);
    state.set_saved();
    touch(&mut state, 0..groups / 100, 2);
    let (delta, delta_took) = timed(|| {
        let mut sections = Sections::default();
        snapshot::delta_rows(Stored::Windows(&state), 1, Shards::of(|_| true), &mut sections);
        sections
    });
    let header = snapshot::delta_header(&[Stored::Windows(&state)], FiredSoFar::default());
    let delta = piece(header, delta);
    let delta_percent = 100.0 * delta.len() as f64 / base.len() as f64;
    state.set_saved();
    drop(state);

    let pieces = [base, delta];
    let mut state = KeyedState::firing_once();
    let (opened, open_took) = timed(|| {
        resolve(
            &pieces,
            |_| true,
            |row| {
                state.restore(&row);
                Ok(())
            },
        )
    });
    opened?;
    drop(pieces);
    let (pause, extra) = fire(&mut state, groups)?;
    let millis = |took: Duration| took.as_secs_f64() * 1e3;
    Ok(State {
        counted_bytes_per_group: counted as f64 / groups as f64,
        resident_bytes_per_group: resident as f64 / groups as f64,
        base_ms: millis(base_took),
        delta_ms: millis(delta_took),
        delta_percent,
        open_ms: millis(open_took),
        pause_ms_max: millis(pause),
        firing_extra_mib: extra as f64 / f64::from(1 << 20),
    })
}

/// Fires all groups. The longest piece of work, and bytes beside the state at the most.
fn fire(state: &mut KeyedState, groups: usize) -> Result<(Duration, usize)> {
    let before = resident_bytes()?;
    let size = RunSize { groups: GROUPS_PER_CALL, sorted: 2 * GROUPS_PER_CALL };
    let (mut fired, mut pause, mut extra) = (0, Duration::ZERO, 0);
    loop {
        let (next, took) = timed(|| state.next_run(|_| true, size));
        pause = pause.max(took);
        let last = match next {
            NextRun::Nothing => break,
            NextRun::Sorting => continue,
            NextRun::To(last) => Some(last),
            NextRun::All => None,
        };
        let (firing, took) = timed(|| state.fire_run(last.as_ref()));
        pause = pause.max(took);
        fired += firing.len();
        extra = extra.max(resident_bytes()?.saturating_sub(before));
    }
    ensure!(fired == groups, "{fired} groups have fired");
    Ok((pause, extra))
}

/// Gives groups of the window accumulators with this number, some at a time.
fn touch(state: &mut KeyedState, groups: std::ops::Range<usize>, number: u128) {
    let bounds = WindowBounds { start: EventTime(0), end: EventTime(10) };
    let place = Place { bounds, skipped: 0 };
    let accumulator = number.to_le_bytes();
    let mut touched = Touched::default();
    for first in groups.clone().step_by(GROUPS_PER_CALL) {
        state.begin(&mut touched);
        for group in first..groups.end.min(first + GROUPS_PER_CALL) {
            let key = format!("{group:016}");
            state.touch(place, TableHash::of(key.as_bytes()), key.as_bytes(), &mut touched);
        }
        let states: Varlen = touched.groups.iter().map(|_| &accumulator[..]).collect();
        state.scatter(&touched, &states, std::iter::empty());
    }
}

fn piece(header: Vec<u8>, sections: Sections) -> Vec<u8> {
    [vec![header], sections.into_vec()].concat().concat()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let clock = Clock::system();
    let started = clock.monotonic();
    let done = work();
    (done, clock.monotonic() - started)
}
