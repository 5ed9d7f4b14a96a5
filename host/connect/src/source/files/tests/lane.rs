//! A lane over a folder of files, with a chain that outlives it.

use std::time::{Duration, Instant};

use super::{Folder, lines};
use crate::source::tests::{Fixture, Records, absorb, learn, limits};
use crate::source::{Source, SourceError};
use sluicegate_chain::finished::FinishedFiles;
use sluicegate_model::position::Positions;
use sluicegate_model::time::Clock;

/// Longer than any source needs to see that it cannot go on.
const PATIENCE: Duration = Duration::from_secs(30);

/// A lane over a folder: what it would keep in its chain, and all that it was handed.
pub(super) struct Lane<'a> {
    folder: &'a Folder,
    source: Box<dyn Source>,
    positions: Positions,
    pub(super) finished: FinishedFiles,
    pub(super) records: Records,
}

impl<'a> Lane<'a> {
    pub(super) fn begin(folder: &'a Folder) -> Self {
        let (source, positions) = (folder.source(), Positions::new());
        let (finished, records) = (FinishedFiles::default(), Records::new());
        let mut lane = Self { folder, source, positions, finished, records };
        lane.restart().unwrap();
        lane
    }

    /// Goes on from its chain with another source.
    pub(super) fn restart(&mut self) -> Result<(), SourceError> {
        self.source = self.folder.source();
        self.source.know_finished(self.finished.clone());
        self.source.assign(&self.positions)
    }

    pub(super) fn poll(&mut self) -> Result<(), SourceError> {
        absorb(&self.source.poll(&limits(10_000))?, &mut self.records, &mut self.positions);
        learn(self.source.progress(), &mut self.positions);
        // Of a file that has ended a record holds its name only.
        for (ended, _) in self.positions.extract_if(.., |_, position| position.ended) {
            self.finished.insert(ended.stream);
        }
        Ok(())
    }

    pub(super) fn pause(&mut self, names: &[&str]) {
        let paused = names.iter().map(|name| self.folder.partition(name));
        self.source.pause(&paused.collect()).unwrap();
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.records.get(&self.folder.partition(name)).map_or(0, Vec::len)
    }

    pub(super) fn is_finished(&self, name: &str) -> bool {
        self.finished.contains(&self.folder.partition(name).stream)
    }

    /// Whether everything that was listed is handed on.
    pub(super) fn is_caught_up(&self) -> bool {
        self.source.progress().iter().all(|one| one.caught_up)
    }

    /// Polls until that is so and everything that was listed is handed on.
    #[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
    pub(super) fn until(&mut self, is_so: impl Fn(&Self) -> bool) -> Result<(), SourceError> {
        let started = Instant::now();
        loop {
            self.poll()?;
            assert!(started.elapsed() < PATIENCE, "{:?}", self.source.progress());
            if is_so(self) && self.is_caught_up() {
                return Ok(());
            }
        }
    }

    /// Polls until that is so. With each poll passes more time than between two listings.
    #[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
    pub(super) fn pass(&mut self, time: &Clock, is_so: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is_so(self) {
            self.poll().unwrap();
            assert!(started.elapsed() < PATIENCE, "{:?}", self.source.progress());
            time.advance(Duration::from_millis(100));
        }
    }

    /// Polls until it cannot go on.
    #[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
    pub(super) fn fails(&mut self, what: &str) -> SourceError {
        let started = Instant::now();
        loop {
            if let Err(error) = self.poll() {
                return error;
            }
            assert!(started.elapsed() < PATIENCE, "{what}: it goes on");
        }
    }

    /// Reads a new file. The listing that shows it shows what became of the others, too.
    pub(super) fn look(&mut self, new: &str) -> Result<(), SourceError> {
        self.folder.write(new, &lines(0, 2));
        self.until(|lane| lane.count(new) == 2)
    }
}
