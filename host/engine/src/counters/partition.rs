//! What became of records, by partition. The number of partitions with counters of their own is bounded: a folder of
//! files may have many thousands, and each is a series that Prometheus keeps for weeks.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use super::fates::FateCounters;
use sluicegate_chain::fates::Fates;
use sluicegate_model::position::Partition;

/// Partitions of a pipeline that have series of their own.
pub const PARTITIONS_MAX: usize = 512;
/// The stream and the partition under which all others stand together.
pub const OTHER: &str = "other";

/// Records by partition and fate.
#[derive(Debug, Default)]
pub struct PartitionFates {
    own: RwLock<BTreeMap<Partition, FateCounters>>,
    /// Of the partitions that came when there were enough.
    others: FateCounters,
}

impl PartitionFates {
    /// Adds what became of records of a partition.
    pub fn add(&self, partition: &Partition, fates: &Fates) {
        if let Some(counters) =
            self.own.read().unwrap_or_else(PoisonError::into_inner).get(partition)
        {
            return counters.add(fates);
        }
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        if own.len() < PARTITIONS_MAX || own.contains_key(partition) {
            own.entry(partition.clone()).or_default().add(fates);
        } else {
            self.others.add(fates);
        }
    }

    /// Visits every partition by stream and number, those without counters of their own as one.
    pub fn visit<E>(
        &self,
        mut visit: impl FnMut(&str, &str, &FateCounters) -> Result<(), E>,
    ) -> Result<(), E> {
        for (partition, counters) in &*self.own.read().unwrap_or_else(PoisonError::into_inner) {
            visit(&partition.stream, &partition.number.to_string(), counters)?;
        }
        if self.others.read.get() > 0 { visit(OTHER, OTHER, &self.others) } else { Ok(()) }
    }
}
