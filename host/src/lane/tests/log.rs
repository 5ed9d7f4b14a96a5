//! A source over logs in memory, which hands out as many records at a time as a seed wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::source::{
    Absent, NextOffset, Partition, PartitionProgress, PollLimits, Position, Positions, RecordBlock,
    Source, SourceError,
};
use crate::varlen::Varlen;

/// The records of all partitions.
pub(super) type Logs = Arc<BTreeMap<Partition, Vec<String>>>;

pub(super) struct LogSource {
    logs: Logs,
    at: BTreeMap<Partition, usize>,
    progress: Vec<PartitionProgress>,
    random: Pcg64Mcg,
    records_max: usize,
    paused: BTreeSet<Partition>,
}

impl LogSource {
    pub(super) fn new(logs: &Logs, records_max: usize, seed: u64) -> Self {
        let at = logs.keys().map(|partition| (partition.clone(), 0)).collect();
        let random = Pcg64Mcg::seed_from_u64(seed);
        Self {
            logs: Arc::clone(logs),
            at,
            progress: Vec::new(),
            random,
            records_max,
            paused: BTreeSet::new(),
        }
    }

    fn position(&self, partition: &Partition, at: usize) -> Position {
        let ended = at == self.logs[partition].len();
        Position { ended, ..Position::at(NextOffset::at(at as i64)) }
    }

    fn note_progress(&mut self) {
        let progress = |(partition, log): (&Partition, &Vec<String>)| {
            let ended = self.at[partition] == log.len();
            let end_offset = Some(log.len() as i64);
            PartitionProgress {
                partition: partition.clone(),
                read_to: None,
                end_offset,
                caught_up: ended,
                looked_at: None,
                ended,
            }
        };
        self.progress = self.logs.iter().map(progress).collect();
    }
}

impl Source for LogSource {
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError> {
        let start = |partition: &Partition| (partition.clone(), self.position(partition, 0));
        Ok(Some(self.logs.keys().map(start).collect()))
    }

    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError> {
        for (partition, position) in positions {
            self.at.insert(partition.clone(), usize::try_from(position.next_offset.get()).unwrap());
        }
        self.note_progress();
        Ok(())
    }

    fn poll(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        let (mut blocks, mut left) = (Vec::new(), limits.records);
        let logs = Arc::clone(&self.logs);
        for (partition, log) in logs.iter().filter(|(name, _)| !self.paused.contains(name)) {
            let from = self.at[partition];
            let wanted = self.random.random_range(0..=self.records_max).min(left);
            let to = log.len().min(from + wanted);
            left -= to - from;
            if from < to {
                let values: Varlen = log[from..to].iter().map(|value| value.as_bytes()).collect();
                blocks.push(RecordBlock {
                    partition: partition.clone(),
                    values: Arc::new(values),
                    no_value: Absent::default(),
                    keys: None,
                    no_key: Absent::default(),
                    offsets: (from as i64..to as i64).collect(),
                    timestamps: None,
                    headers: None,
                    next: self.position(partition, to),
                });
                self.at.insert(partition.clone(), to);
            }
        }
        self.note_progress();
        Ok(blocks)
    }

    fn pause(&mut self, paused: &BTreeSet<Partition>) -> Result<(), SourceError> {
        self.paused.clone_from(paused);
        Ok(())
    }

    fn progress(&self) -> &[PartitionProgress] {
        &self.progress
    }

    fn acknowledge(&mut self, _: &Positions) {}

    fn problem(&self) -> Option<String> {
        None
    }
}
