//! What a worker's windows have for a checkpoint, row by row: all of it, or what has changed since the last one.

use sluicegate_model::time::EventTime;
use sluicegate_model::window::WindowBounds;

use super::groups::GroupTable;
use super::row::{Place, StateRow};
use super::session::Session;
use super::sessions::Sessions;
use super::state::{KeyedState, OpenWindow};
use crate::shards::Shards;

/// What a worker has to be stored.
#[derive(Clone, Copy, Debug)]
pub enum Stored<'s> {
    /// Groups of windows or panes, whatever their kind.
    Windows(&'s KeyedState),
    /// Sessions of all keys, with those that are closed and still remembered.
    Sessions(&'s Sessions),
}

/// A row without anything that is rare.
pub(super) const PLAIN: StateRow<'static> = StateRow {
    generation: 0,
    place: Place::EVER,
    revision: 0,
    is_empty: false,
    is_settled: false,
    is_pending: false,
    is_fired: false,
    is_closed: false,
    is_gone: false,
    shard: 0,
    key: &[],
    state: &[],
};

/// Beside what a row must stand.
#[derive(Clone, Copy)]
pub(super) enum Beside {
    Nothing,
    /// The row before.
    Last,
}

impl<'s> Stored<'s> {
    pub(super) fn sessions(self) -> Option<&'s Sessions> {
        match self {
            Self::Windows(_) => None,
            Self::Sessions(sessions) => Some(sessions),
        }
    }

    /// Whether there is a row.
    pub fn has_rows(self) -> bool {
        match self {
            Self::Windows(state) => state.has_rows(),
            Self::Sessions(sessions) => sessions.has_rows(),
        }
    }

    /// About how many rows are not as the last checkpoint has them.
    pub fn unsaved_len(self) -> usize {
        match self {
            Self::Windows(state) => state.unsaved_len(),
            Self::Sessions(sessions) => sessions.unsaved_len(),
        }
    }

    /// Calls `each` with every row.
    pub(super) fn each(self, generation: u32, mut each: impl FnMut(&StateRow<'_>)) {
        match self {
            Self::Windows(state) => {
                each_window(state, |window, is_fired| {
                    let ids = window.groups.ids().filter(|id| state.may_fire(window, *id));
                    ids.for_each(|id| each(&group_row(window, is_fired, id, generation)));
                });
            }
            Self::Sessions(sessions) => {
                sessions.each(|key, session| each(&session_row(key, session, generation)));
                sessions.closed.each(|key, start| each(&closed_row(key, start, generation)));
            }
        }
    }

    /// Calls `each` with every row that is not as the last checkpoint has it, and with what is gone. `shards` are the worker's. Says of
    /// a row whether it must stand beside the one before: all sessions of a key stand over what older pieces have of it, together.
    pub(super) fn each_unsaved(
        self,
        generation: u32,
        shards: &Shards,
        mut each: impl FnMut(&StateRow<'_>, Beside),
    ) {
        let alone = Beside::Nothing;
        match self {
            Self::Windows(state) => {
                for gone in &state.gone {
                    let (place, is_fired) = (gone.place, gone.is_fired);
                    let state = shards.as_bytes();
                    let row =
                        StateRow { generation, place, is_fired, is_gone: true, state, ..PLAIN };
                    each(&row, alone);
                }
                each_window(state, |window, is_fired| {
                    let ids = window.groups.unsaved().filter(|id| state.may_fire(window, *id));
                    ids.for_each(|id| each(&group_row(window, is_fired, id, generation), alone));
                });
            }
            Self::Sessions(sessions) => {
                sessions.each_unsaved(|key, left| {
                    let beside = std::iter::once(alone).chain(std::iter::repeat(Beside::Last));
                    for (session, beside) in left.iter().zip(beside) {
                        each(&session_row(key, session, generation), beside);
                    }
                    if left.is_empty() {
                        let shard = super::key_shard(key);
                        each(&StateRow { generation, shard, key, is_gone: true, ..PLAIN }, alone);
                    }
                });
                sessions
                    .closed
                    .each_unsaved(|key, start| each(&closed_row(key, start, generation), alone));
            }
        }
    }
}

fn each_window(state: &KeyedState, mut each: impl FnMut(&OpenWindow, bool)) {
    state.windows().iter().for_each(|window| each(window, false));
    state.fired.values().for_each(|window| each(window, true));
}

fn group_row(window: &OpenWindow, is_fired: bool, id: u32, generation: u32) -> StateRow<'_> {
    let groups: &GroupTable = &window.groups;
    StateRow {
        generation,
        place: window.place,
        revision: groups.revision(id),
        is_pending: groups.has_changed(id),
        is_fired,
        shard: groups.shard(id),
        key: groups.key(id),
        state: groups.state(id),
        ..PLAIN
    }
}

fn session_row<'s>(key: &'s [u8], session: &'s Session, generation: u32) -> StateRow<'s> {
    StateRow {
        generation,
        place: Place { bounds: session.bounds, skipped: 0 },
        revision: session.revision,
        is_empty: !session.has_rows,
        is_settled: !session.pending,
        shard: super::key_shard(key),
        key,
        state: &session.state,
        ..PLAIN
    }
}

fn closed_row(key: &[u8], start: EventTime, generation: u32) -> StateRow<'_> {
    StateRow {
        generation,
        place: Place { bounds: WindowBounds { start, end: start }, skipped: 0 },
        is_closed: true,
        shard: super::key_shard(key),
        key,
        ..PLAIN
    }
}
