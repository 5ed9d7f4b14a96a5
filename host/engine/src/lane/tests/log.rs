//! A source over logs in memory, which hands out as many records at a time as a seed wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use sluicegate_connect::source::{
    Absent, Header, Headers, PartitionProgress, PollLimits, RecordBlock, Source, SourceError,
};
use sluicegate_model::position::{NextOffset, Partition, Position, Positions};
use sluicegate_model::varlen::Varlen;

/// The records of all partitions.
pub(super) type Logs = Arc<BTreeMap<Partition, Vec<String>>>;

pub(super) struct LogSource {
    logs: Logs,
    at: BTreeMap<Partition, usize>,
    progress: Vec<PartitionProgress>,
    random: Pcg64Mcg,
    records_max: usize,
    paused: BTreeSet<Partition>,
    has_texts_in_headers: bool,
    /// By how much the offsets of two records differ: 1 in a topic, their bytes in a file.
    stride: i64,
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
            stride: 1,
            has_texts_in_headers: false,
        }
    }

    /// The keys and texts of events stand beside the values and not in them.
    pub(super) fn with_texts_in_headers(self) -> Self {
        Self { has_texts_in_headers: true, ..self }
    }

    /// The same as files: offsets count bytes, positions say how the bytes before them begin, and a file that was read
    /// to its end is known by its name.
    pub(super) fn with_bytes(self) -> Self {
        Self { stride: 1_000, ..self }
    }

    fn position(&self, partition: &Partition, at: usize) -> Position {
        let ended = at == self.logs[partition].len();
        // The hash of a head.
        let leader_epoch = self.is_of_files().then_some(7);
        let next_offset = NextOffset::at(at as i64 * self.stride);
        Position { ended, leader_epoch, ..Position::at(next_offset) }
    }

    fn is_of_files(&self) -> bool {
        self.stride > 1
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

/// What is no JSON stays as it is.
fn beside(block: RecordBlock) -> RecordBlock {
    let (mut values, mut keys) = (Varlen::default(), Varlen::default());
    let mut headers = Headers::default();
    for (record, value) in block.values.iter().enumerate() {
        let Ok(mut event) = serde_json::from_slice::<serde_json::Value>(value) else {
            values.push(value);
            keys.push(b"");
            continue;
        };
        let mut take = |name: &str| event.as_object_mut().unwrap().remove(name).unwrap();
        let (key, text) = (take("key"), take("text"));
        keys.push(key.as_str().unwrap().as_bytes());
        for text in ["not this one", text.as_str().unwrap()] {
            headers.push(record, Header { name: b"text", value: Some(text.as_bytes()) });
        }
        values.push(event.to_string().as_bytes());
    }
    let (values, keys, headers) = (Arc::new(values), Some(Arc::new(keys)), Some(headers));
    RecordBlock { values, keys, headers, ..block }
}

impl Source for LogSource {
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError> {
        let start = |partition: &Partition| (partition.clone(), self.position(partition, 0));
        Ok(Some(self.logs.keys().map(start).collect()))
    }

    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError> {
        for (partition, position) in positions {
            let at = usize::try_from(position.next_offset.get() / self.stride).unwrap();
            self.at.insert(partition.clone(), at);
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
                let block = RecordBlock {
                    partition: partition.clone(),
                    values: Arc::new(values),
                    no_value: Absent::default(),
                    keys: None,
                    no_key: Absent::default(),
                    offsets: (from..to).map(|at| at as i64 * self.stride).collect(),
                    timestamps: None,
                    headers: None,
                    next: self.position(partition, to),
                };
                blocks.push(if self.has_texts_in_headers { beside(block) } else { block });
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

    fn knows_finished(&self) -> bool {
        self.is_of_files()
    }

    fn problem(&self) -> Option<String> {
        None
    }
}
