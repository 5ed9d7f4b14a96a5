//! The sessions of browsers that have signed in: in memory, few, and for half a day.
//!
//! A session's id is known to the browser only; here its hash is kept, as of tokens. A restart ends all of them, so a
//! token that was taken out of the file ends with those that were begun with it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use sluicegate_model::time::Clock;
use subtle::ConstantTimeEq;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::attempts::{Attempts, Caller, TooMany};

/// A working day, with some of the night.
pub(in crate::http) const SESSION_TIME: Duration = Duration::from_hours(12);
/// A few people with a few browsers each. One more ends the oldest.
pub(super) const SESSIONS_MAX: usize = 64;

/// How often a session is looked at whether it has become too old.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who has signed in, and who has failed to.
#[derive(Debug)]
pub(in crate::http) struct Sessions {
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Oldest first.
    sessions: Vec<Session>,
    attempts: Attempts,
}

#[derive(Debug)]
struct Session {
    id_hash: [u8; 32],
    /// Of the clock's monotonic time.
    ends: Duration,
    /// Tells those who wait that the session is no longer kept, for whatever reason.
    gone: DropGuard,
}

/// The end of a session, for what lasts longer than a request.
#[derive(Clone, Debug)]
pub(in crate::http) struct SessionEnd {
    clock: Clock,
    ends: Duration,
    gone: CancellationToken,
}

impl SessionEnd {
    /// Whether it has come.
    pub(in crate::http) fn has_come(&self) -> bool {
        self.gone.is_cancelled() || self.clock.monotonic() >= self.ends
    }

    /// Waits for it: signed out, pushed out by newer sessions, or too old.
    pub(in crate::http) async fn wait(&self) {
        while !self.has_come() {
            let _ = tokio::time::timeout(LOOK_EVERY, self.gone.cancelled()).await;
        }
    }
}

impl Sessions {
    pub(in crate::http) fn new(clock: Clock) -> Self {
        Self { clock, kept: Mutex::default() }
    }

    /// Lets a caller try a token, unless it has failed too often: then not even the right one is looked at, or the
    /// limit would limit nothing.
    pub(in crate::http) fn attempt(
        &self,
        caller: Caller,
        is_right: impl FnOnce() -> bool,
    ) -> Result<bool, TooMany> {
        let now = self.clock.monotonic();
        self.kept().attempts.attempt(caller, now, is_right)
    }

    /// Begins a session; answers with its id.
    pub(in crate::http) fn begin(&self) -> String {
        let [one, other] = [(); 2].map(|()| uuid::Uuid::new_v4().simple());
        let id = format!("{one}{other}");
        let now = self.clock.monotonic();
        let mut kept = self.kept();
        kept.sessions.retain(|session| session.ends > now);
        if kept.sessions.len() >= SESSIONS_MAX {
            kept.sessions.remove(0);
        }
        let (id_hash, ends) = (hash(&id), now + SESSION_TIME);
        let gone = CancellationToken::new().drop_guard();
        kept.sessions.push(Session { id_hash, ends, gone });
        id
    }

    /// The end of the session of that id; none if it has come, or never began. Looks at all sessions, and at all bytes of
    /// each, so that the time it takes tells nothing.
    pub(in crate::http) fn end_of(&self, id: &str) -> Option<SessionEnd> {
        let (presented, now) = (hash(id), self.clock.monotonic());
        let kept = self.kept();
        let is_it = |session: &Session| bool::from(session.id_hash.ct_eq(&presented));
        let session = kept.sessions.iter().fold(None, |found, session| match is_it(session) {
            true => Some(session),
            false => found,
        })?;
        let (ends, gone) = (session.ends, session.gone.token().clone());
        (ends > now).then(|| SessionEnd { clock: self.clock.clone(), ends, gone })
    }

    /// Ends a session, if it is one.
    pub(in crate::http) fn end(&self, id: &str) {
        let presented = hash(id);
        self.kept().sessions.retain(|session| !bool::from(session.id_hash.ct_eq(&presented)));
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(id: &str) -> [u8; 32] {
    Sha256::digest(id).into()
}
