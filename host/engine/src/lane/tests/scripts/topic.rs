//! A topic that grows while it is read, and whose silences are staged.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use sluicegate_connect::source::{
    Absent, PartitionProgress, PollLimits, RecordBlock, Source, SourceError,
};
use sluicegate_model::position::{NextOffset, Partition, Position, Positions};
use sluicegate_model::varlen::Varlen;

/// A record: its value, and Kafka's timestamp, µs.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) value: String,
    pub(super) timestamp: i64,
}

/// What the broker has. The script appends to it, the lane's source reads it.
#[derive(Debug, Default)]
pub(super) struct Topic {
    pub(super) partitions: Vec<Vec<Record>>,
    /// Nothing will follow.
    pub(super) ended: bool,
    /// While this is there nothing is handed out, and just these partitions are caught up: the silence of those that
    /// were idle before a restart, observed anew.
    pub(super) silent: Option<BTreeSet<i32>>,
}

/// The topic, from both sides.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<Topic>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Topic> {
        self.0.lock().unwrap()
    }

    pub(super) fn source(&self) -> Box<dyn Source> {
        Box::new(TopicSource { topic: self.clone(), at: Vec::new(), progress: Vec::new() })
    }
}

struct TopicSource {
    topic: Shared,
    /// Of each partition the next record.
    at: Vec<usize>,
    progress: Vec<PartitionProgress>,
}

fn partition(number: usize) -> Partition {
    Partition { stream: Arc::from("rows"), number: number as i32 }
}

impl TopicSource {
    fn note_progress(&mut self) {
        let topic = self.topic.lock();
        self.at.resize(topic.partitions.len(), 0);
        let progress = |(number, log): (usize, &Vec<Record>)| {
            let read = self.at[number] == log.len();
            let caught_up = match &topic.silent {
                Some(silent) => silent.contains(&(number as i32)),
                None => read,
            };
            PartitionProgress {
                partition: partition(number),
                read_to: None,
                end_offset: Some(log.len() as i64),
                caught_up,
                looked_at: None,
                ended: topic.ended && read,
            }
        };
        self.progress = topic.partitions.iter().enumerate().map(progress).collect();
    }
}

impl Source for TopicSource {
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError> {
        let numbers = 0..self.topic.lock().partitions.len();
        let start = |number| (partition(number), Position::at(NextOffset::START));
        Ok(Some(numbers.map(start).collect()))
    }

    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError> {
        self.at = vec![0; self.topic.lock().partitions.len()];
        for (partition, position) in positions {
            self.at[partition.number as usize] = position.next_offset.get() as usize;
        }
        self.note_progress();
        Ok(())
    }

    fn poll(&mut self, _: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        self.note_progress();
        let mut blocks = Vec::new();
        let topic = self.topic.lock();
        let logs = topic.partitions.iter().enumerate().filter(|_| topic.silent.is_none());
        for ((number, log), at) in logs.zip(&mut self.at) {
            let (from, to) = (std::mem::replace(at, log.len()), log.len());
            if from < to {
                let values: Varlen =
                    log[from..].iter().map(|record| record.value.as_bytes()).collect();
                let next = Position::at(NextOffset::at(to as i64));
                blocks.push(RecordBlock {
                    partition: partition(number),
                    values: Arc::new(values),
                    no_value: Absent::default(),
                    keys: None,
                    no_key: Absent::default(),
                    offsets: (from as i64..to as i64).collect(),
                    timestamps: Some(log[from..].iter().map(|record| record.timestamp).collect()),
                    headers: None,
                    next: Position { ended: topic.ended, ..next },
                });
            }
        }
        drop(topic);
        self.note_progress();
        Ok(blocks)
    }

    fn pause(&mut self, _: &BTreeSet<Partition>) -> Result<(), SourceError> {
        unreachable!("no script lets partitions wait for others")
    }

    fn progress(&self) -> &[PartitionProgress] {
        &self.progress
    }

    fn acknowledge(&mut self, _: &Positions) {}

    fn problem(&self) -> Option<String> {
        None
    }
}
