//! What checkpoints and other layouts see of sessions: all of them with their keys, in an order that stays the same while
//! no row comes.

use sluicegate_model::time::EventTime;

use super::firing::OpenGroup;
use super::hash::TableHash;
use super::row::StateRow;
use super::session::{Session, SessionRule};
use super::sessions::{Sessions, allocated};

impl Sessions {
    /// A session as a checkpoint gives it back.
    pub fn restore(&mut self, row: &StateRow<'_>) {
        let hash = TableHash::of(row.key);
        let at = self.find(hash, row.key).unwrap_or_else(|| self.insert(hash, row.key));
        self.bytes += allocated(row.state.len());
        let session = Session {
            state: row.state.into(),
            has_rows: !row.is_empty,
            revision: row.revision,
            pending: !row.is_settled,
            ..Session::new(row.place.bounds)
        };
        let changed = self.changed.len();
        self.put(at, session);
        self.set_saved();
        // It is as it was.
        for at in self.changed.drain(changed..) {
            self.keys[at as usize].changed = false;
        }
    }

    /// The sessions of a key are not as a checkpoint has them.
    pub(super) fn note_unsaved(&mut self, at: u32) {
        if !std::mem::replace(&mut self.keys[at as usize].unsaved, true) {
            self.unsaved.push(at);
        }
    }

    /// A checkpoint has all of it.
    pub fn set_saved(&mut self) {
        while let Some(at) = self.unsaved.pop() {
            let key = &mut self.keys[at as usize];
            (key.unsaved, key.saved) = (false, !key.sessions.is_empty());
        }
        self.gone = Vec::new();
        self.closed.set_saved();
    }

    /// About how many sessions are not as the last checkpoint has them.
    pub fn unsaved_len(&self) -> usize {
        self.unsaved.len() + self.gone.len() + self.closed.unsaved_len()
    }

    /// Whether there is anything to store of it.
    pub(super) fn has_rows(&self) -> bool {
        self.sessions > 0 || !self.closed.is_empty()
    }

    /// What a checkpoint gives back of the closed sessions of a key.
    pub fn restore_closed(&mut self, rule: SessionRule, row: &StateRow<'_>) {
        let hash = TableHash::of(row.key);
        self.closed.note(rule.max_length, hash, row.key, row.place.bounds.start);
        self.closed.set_saved();
    }

    /// Of sessions that were closed and began before this the checkpoint may know nothing.
    pub fn set_unknown_before(&mut self, before: Option<EventTime>) {
        self.closed.set_unknown_before(before);
    }

    /// The accumulators that are not empty, always in the same order.
    pub fn states(&self) -> impl Iterator<Item = &[u8]> {
        let sessions = self.keys.iter().flat_map(|key| &key.sessions);
        sessions.map(|session| &*session.state).filter(|state| !state.is_empty())
    }

    /// The sessions that have rows, each with the revision with which it was told or is told next.
    pub fn open(&self) -> impl Iterator<Item = OpenGroup<'_>> {
        let sessions = self
            .keys
            .iter()
            .flat_map(|key| key.sessions.iter().map(move |session| (&*key.key, session)));
        sessions.filter(|(_, session)| session.has_rows).map(|(key, session)| {
            // What was told and has not changed stands as it was told.
            let told = u64::from(!session.pending);
            let revision = session.revision.saturating_sub(told);
            OpenGroup { revision, ..session.group(key) }
        })
    }

    /// Replaces what [`Sessions::states`] gives, in that order.
    pub fn set_states<'s>(&mut self, states: &mut impl Iterator<Item = &'s [u8]>) {
        let sessions = self.keys.iter_mut().flat_map(|key| &mut key.sessions);
        for session in sessions.filter(|session| !session.state.is_empty()) {
            let state = states.next().expect("a state for each that there was");
            self.bytes -= allocated(session.state.len());
            session.state = state.into();
            self.bytes += allocated(session.state.len());
        }
    }

    /// The sessions of every key whose are not as the last checkpoint has them, of some of which none are left.
    pub(super) fn each_unsaved(&self, mut each: impl FnMut(&[u8], &[Session])) {
        self.gone.iter().for_each(|key| each(key, &[]));
        let keys = self.unsaved.iter().map(|at| &self.keys[*at as usize]);
        let keys = keys.filter(|key| !key.sessions.is_empty());
        keys.for_each(|key| each(&key.key, &key.sessions));
    }

    /// Every session with its key, for a checkpoint: those whose rows were all refused, too, because they decide where
    /// the next rows go.
    pub(super) fn each(&self, mut each: impl FnMut(&[u8], &Session)) {
        for key in &self.keys {
            key.sessions.iter().for_each(|session| each(&key.key, session));
        }
    }
}
