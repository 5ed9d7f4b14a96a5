//! Jobs that take turns, so that what else happens on the machine falls on all of them.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::child;
use crate::events;
use crate::job::Job;
use crate::plan::{say, text};
use crate::report::median;

/// A job that takes turns with others.
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    /// The text of its pipeline file, as [`events::write_pipeline`] takes it.
    pub(crate) pipeline: String,
}

/// What the jobs used: nanoseconds of CPU per record.
pub(crate) struct Turns {
    names: Vec<&'static str>,
    /// For each round those of every job.
    rounds: Vec<Vec<f64>>,
}

impl Turns {
    /// Runs every job in every round. All read so many records, and each does the same in every round.
    pub(crate) fn run(
        entrants: &[Entrant],
        rounds: usize,
        records: usize,
        folder: &Path,
    ) -> Result<Self> {
        let names: Vec<_> = entrants.iter().map(|entrant| entrant.name).collect();
        let mut turns = Self { names, rounds: Vec::with_capacity(rounds) };
        let mut accepted = vec![None; entrants.len()];
        // The first fills the caches of pages and of compiled plugins, and is forgotten.
        for number in 0..=rounds {
            let mut nanos = vec![0.0; entrants.len()];
            // Who goes first finds the caches as others left them: they take turns at that too.
            for place in 0..entrants.len() {
                let index = (number + place) % entrants.len();
                let job = run(&entrants[index], folder)?;
                let name = entrants[index].name;
                ensure!(job.read == records as u64, "{name} read {} of {records}", job.read);
                let before = *accepted[index].get_or_insert(job.accepted);
                ensure!(
                    job.accepted == before && before > 0,
                    "{name} accepted {} records, and {before} before",
                    job.accepted
                );
                nanos[index] = job.cpu_nanos as f64 / records as f64;
            }
            let each =
                turns.names.iter().zip(&nanos).map(|(name, cost)| format!("{name} {cost:.0}"));
            let each = each.collect::<Vec<_>>().join(", ");
            say(&format!("round {number} of {rounds}: ns per record: {each}"));
            if number > 0 {
                turns.rounds.push(nanos);
            }
        }
        Ok(turns)
    }

    /// Nanoseconds of CPU per record, the median of the rounds.
    pub(crate) fn nanos(&self, name: &str) -> f64 {
        let index = self.index(name);
        median(self.rounds.iter().map(|round| round[index]))
    }

    /// What one job costs in costs of another, the median of the rounds' ratios.
    pub(crate) fn ratio(&self, above: &str, below: &str) -> f64 {
        let (above, below) = (self.index(above), self.index(below));
        median(self.rounds.iter().map(|round| round[above] / round[below]))
    }

    fn index(&self, name: &str) -> usize {
        self.names.iter().position(|other| *other == name).expect("it has taken part")
    }
}

fn run(entrant: &Entrant, folder: &Path) -> Result<Job> {
    let pipeline = events::write_pipeline(&folder.join("job"), &entrant.pipeline)?;
    child::run(&["job", &text(&pipeline)]).with_context(|| format!("run {}", entrant.name))
}
