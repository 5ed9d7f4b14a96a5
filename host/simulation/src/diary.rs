//! What happened, in its order, as a person reads it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Since the story began.
    pub at: Duration,
    /// The instance, or `world`.
    pub who: String,
    /// What it did, or what was done to it.
    pub what: String,
    /// The object that it is about, if it is about one.
    pub object: String,
}

/// Clones write into the same one. Only inside a tokio runtime, whose clock it takes.
#[derive(Clone)]
pub struct Diary {
    began: Instant,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Diary {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), events: Arc::default() }
    }

    /// Time since it was begun.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn note(&self, who: &str, what: impl Into<String>, object: impl Into<String>) {
        let (at, who) = (self.now(), who.to_owned());
        let event = Event { at, who, what: what.into(), object: object.into() };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
