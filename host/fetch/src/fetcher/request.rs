//! What a broker is asked for next.

use super::slot::Slot;
use super::state::{Shared, State};
use crate::wire::fetch::Wanted;

/// What a broker is asked for.
pub(super) struct Request {
    pub(super) wanted: Vec<Wanted>,
    pub(super) max_bytes: i32,
    /// It leaves out no partition that may be this broker's.
    pub(super) is_all: bool,
}

impl Shared {
    /// Waits until there is something to ask this broker for, and room for it. None if it is over. `turn` says whose turn it is to be
    /// first: what is first comes even if it is larger than was asked for.
    pub(super) fn next_request(&self, broker: i32, turn: usize) -> Option<Request> {
        let state = self.wait_while(None, |state| !self.can_ask(state, broker))?;
        Some(self.request(&state, broker, turn))
    }

    /// The same without a wait: none if there is nothing to ask for now.
    pub(super) fn request_at_once(&self, broker: i32, turn: usize) -> Option<Request> {
        let state = self.lock();
        self.can_ask(&state, broker).then(|| self.request(&state, broker, turn))
    }

    fn can_ask(&self, state: &State, broker: i32) -> bool {
        !state.is_over && self.has_room(state) && state.wanted_of(broker).next().is_some()
    }

    fn request(&self, state: &State, broker: i32, turn: usize) -> Request {
        let mut wanted: Vec<_> = state.wanted_of(broker).collect();
        let first = turn % wanted.len().max(1);
        wanted.rotate_left(first);
        let share = self.options.queued_bytes / 2 / state.brokers.len().max(1);
        let max_bytes = i32::try_from(share).unwrap_or(i32::MAX).min(self.options.max_bytes).max(1);
        let may_be_its = |slot: &&Slot| slot.source().is_none_or(|source| source == broker);
        let is_all = state.slots.values().filter(may_be_its).count() == wanted.len();
        Request { wanted, max_bytes, is_all }
    }
}
