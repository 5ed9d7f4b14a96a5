//! Asks a place for its files, again and again where they are watched, without anybody waiting longer than they want.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::left_out::LeftOut;
use super::list::{ENDINGS, FilesPlace, ListError, Listed};
use sluicegate_model::time::Clock;
use sluicegate_runtime::Bell;

type Answer = Result<Listed, ListError>;

pub(super) struct Listings {
    place: FilesPlace,
    runtime: Handle,
    clock: Clock,
    /// Rung by each answer.
    bell: Bell,
    answers: (Sender<Answer>, Receiver<Answer>),
    is_asked: bool,
    /// Ends the listing that is under way.
    stop: Arc<AtomicBool>,
    next: Duration,
    /// Told once.
    told_names: BTreeSet<String>,
    told_endings: bool,
}

impl Listings {
    /// Of which none was asked for yet.
    pub(super) fn new(place: FilesPlace, runtime: Handle, clock: Clock, bell: Bell) -> Self {
        Self {
            place,
            runtime,
            clock,
            bell,
            answers: channel(1),
            is_asked: false,
            stop: Arc::default(),
            next: Duration::ZERO,
            told_names: BTreeSet::new(),
            told_endings: false,
        }
    }

    fn ask(&mut self) {
        if self.is_asked {
            return;
        }
        self.is_asked = true;
        let (place, sender, stop) =
            (self.place.clone(), self.answers.0.clone(), Arc::clone(&self.stop));
        let bell = self.bell.clone();
        self.runtime.spawn(async move {
            let listing = AssertUnwindSafe(place.list(stop)).catch_unwind().await;
            let panicked = || ListError::Store("listing panicked: the log has it".to_owned());
            let listing = listing.unwrap_or_else(|_| Err(panicked()));
            // Nobody wants it any more.
            let _ = sender.send(listing).await;
            bell.ring();
        });
    }

    /// The files, if the answer comes in time; the same question goes on otherwise.
    pub(super) fn wait(&mut self, wait: Duration) -> Option<Result<Listed, ListError>> {
        self.ask();
        let answers = &mut self.answers.1;
        let answer = async { tokio::time::timeout(wait, answers.recv()).await };
        let answer = self.runtime.block_on(answer).ok().flatten()?;
        Some(self.answered(answer))
    }

    /// For so long nobody need ask for an answer, unless the bell is rung.
    pub(super) fn rest(&self) -> Duration {
        if self.is_asked {
            return Duration::MAX;
        }
        self.next.saturating_sub(self.clock.monotonic())
    }

    /// The next listing is due so long from now.
    pub(super) fn again_after(&mut self, pause: Duration) {
        self.next = self.clock.monotonic() + pause;
    }

    /// The files, if it was time to ask, and the answer is there.
    pub(super) fn poll(&mut self, every: Duration) -> Option<Result<Listed, ListError>> {
        if !self.is_asked && self.clock.monotonic() >= self.next {
            self.again_after(every);
            self.ask();
        }
        let answer = self.answers.1.try_recv().ok()?;
        Some(self.answered(answer))
    }

    fn answered(&mut self, answer: Result<Listed, ListError>) -> Result<Listed, ListError> {
        self.is_asked = false;
        if let Ok(listed) = &answer {
            self.tell(&listed.left_out);
        }
        answer
    }

    /// Says once what is left out of the listing.
    fn tell(&mut self, left_out: &LeftOut) {
        let place = &*self.place.name;
        for (name, reason) in &left_out.odd {
            if self.told_names.insert(name.clone()) {
                tracing::warn!(place, name, "left out: {reason}");
            }
        }
        if left_out.odd_more > 0 && self.told_names.insert(String::new()) {
            tracing::warn!(place, "left out: {} more names of that kind", left_out.odd_more);
        }
        if let (false, Some(example)) = (self.told_endings, &left_out.example) {
            self.told_endings = true;
            tracing::warn!(
                place,
                example,
                "left out: {} files whose names do not end in {ENDINGS}",
                left_out.endings
            );
        }
    }
}

impl Drop for Listings {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_testing::gate::{Gate, GatedStore};

    #[test]
    fn a_listing_that_panics_is_trouble_and_the_next_one_is_asked_for() {
        let runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = { runtime }.worker_threads(1).enable_all().build().unwrap();
        let store = GatedStore::new(Gate::Panics);
        let place = FilesPlace::in_store(Arc::new(store.clone()));
        let (clock, bell) = (Clock::system(), Bell::default());
        let mut listings = Listings::new(place, runtime.handle().clone(), clock, bell);
        let answer = listings.wait(Duration::from_secs(60)).expect("it does not hang");
        assert!(matches!(answer, Err(ListError::Store(words)) if words.contains("panicked")));
        store.set(Gate::Open);
        let answer = listings.wait(Duration::from_secs(60)).expect("it does not hang");
        assert!(answer.is_ok_and(|listed| listed.files.is_empty()));
    }
}
