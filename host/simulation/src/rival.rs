//! Two chains that want the same tables: hosts of one pipeline whose files have different `checkpoint.path`. One of them gets the
//! tables, and the other is refused before it has read anything (T7).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::plot::Plot;
use super::story::Mutation;

/// Where chains lie. A story without a rival has the first.
pub(crate) const CHAINS: [&str; 2] = ["chain", "elsewhere"];

/// When the host of another chain begins; none if a story has none. Other stories are what they were without it.
pub(crate) fn begins(seed: u64, plot: &Plot, mutation: Option<Mutation>) -> Option<Duration> {
    let mut random = Pcg64Mcg::seed_from_u64(!seed);
    let is_wanted = match mutation {
        None => random.random_bool(0.5),
        Some(mutation) => mutation == Mutation::TablesNameNobody,
    };
    let begins = Duration::from_millis(random.random_range(0..4_000));
    (is_wanted && plot.tables_name_chains()).then_some(begins)
}

/// Whether a host halts because the tables are of another chain: their logs say so, or files of that chain lie in them (C13).
pub(crate) fn is_refused(why: &str) -> bool {
    let words = ["is written by another chain", "data files of it lie in its tables"];
    words.iter().any(|words| why.contains(words))
}

/// Which chain is read for. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Reading(Arc<Mutex<Option<usize>>>);

impl Reading {
    /// A host asks its source for records. False: another chain's has.
    pub(crate) fn begins(&self, chain: usize) -> bool {
        let mut reads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *reads.get_or_insert(chain) == chain
    }

    /// The chain whose hosts read; none if nobody has yet.
    pub(crate) fn chain(&self) -> Option<usize> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another chain than this one is read for.
    pub(crate) fn is_of_another(&self, chain: usize) -> bool {
        self.chain().is_some_and(|reads| reads != chain)
    }
}
