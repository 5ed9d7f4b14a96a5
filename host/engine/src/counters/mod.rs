//! What a lane counts, once a turn or less often: plain atomics, which cost nothing on the way of a record. Whoever
//! shows them reads them when it is asked.

mod commits;
mod instrument;
mod fates;
mod partition;
mod stage;
mod lane;
#[cfg(test)]
mod tests;

pub use commits::{Activated, Commit, Commits};
pub use fates::FateCounters;
pub use instrument::{
    Counter, FAST, Gauge, Histogram, Longest, NamedCounters, SLOW, StepTime, TimeCounter,
};
pub use lane::{LaneMetrics, StepTimes, TableMetrics};
pub use partition::{OTHER, PARTITIONS_MAX, PartitionFates};
pub use stage::{ModuleMetrics, StageMetrics};
