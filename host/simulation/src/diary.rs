//! What happened, in its order, as a person reads it.

use std::fmt;
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

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, who, what, object } = self;
        write!(f, "{:>9.3} s  {who:<8}  {what:<44}  {object}", at.as_secs_f64())
    }
}
