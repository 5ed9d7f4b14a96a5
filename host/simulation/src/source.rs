//! Records from memory, that come with time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sluicegate_connect::outbox::{
    Courier, Deliveries, OutboxError, PartitionCount, PartitionCounts,
};
use sluicegate_connect::source::{
    Absent, PartitionProgress, PollLimits, RecordBlock, Source, SourceError,
};
use sluicegate_engine::lane::{Ends, Post};
use sluicegate_engine::lead::{Lead, Standing};
use sluicegate_model::position::{NextOffset, Partition, Position, Positions};
use sluicegate_model::time::Clock;
use sluicegate_model::varlen::Varlen;
use sluicegate_pipeline::{Pipeline, SinkConfig, SinkKind};
use sluicegate_runtime::{Bell, Runtime};

use super::diary::Diary;
use super::instance::Instance;
use super::rival::Reading;
use super::store::Network;
use super::topic::{PARTITIONS, Topic, TopicCourier};

/// Between a poll that has brought nothing and the next, at least. Nobody rings in a story.
const REST: Duration = Duration::from_millis(20);

/// When each record of a partition comes, and the record.
pub(crate) type Logs = BTreeMap<Partition, Vec<(Duration, String)>>;

/// What an instance is connected to.
pub(crate) struct SimulatedEnds {
    pub(crate) logs: Arc<Logs>,
    pub(crate) topic: Arc<Topic>,
    pub(crate) network: Arc<Network>,
    pub(crate) instance: Arc<Instance>,
    pub(crate) runtime: Runtime,
    pub(crate) lead: Lead,
    /// Of its lane, in [`super::rival::CHAINS`].
    pub(crate) chain: usize,
    pub(crate) reading: Reading,
    pub(crate) seed: u64,
    /// Filled by a source that is read although its instance does not lead, or another chain has the tables.
    pub(crate) faults: Arc<Mutex<Vec<String>>>,
}

impl Ends for SimulatedEnds {
    fn source(&self, _: &Pipeline, _: &Clock, _: &Bell) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(LogSource {
            logs: Arc::clone(&self.logs),
            runtime: self.runtime.clone(),
            diary: self.instance.diary.clone(),
            lead: self.lead.clone(),
            chain: self.chain,
            reading: self.reading.clone(),
            faults: Arc::clone(&self.faults),
            random: Pcg64Mcg::seed_from_u64(self.seed),
            at: BTreeMap::new(),
            progress: Vec::new(),
            paused: BTreeSet::new(),
        }))
    }

    fn post(
        &self,
        config: &Pipeline,
        _: &Clock,
        _: &Bell,
        _: Arc<Deliveries>,
        _: &dyn Fn() -> bool,
    ) -> Result<Option<Post>, OutboxError> {
        let topics = config.sinks.iter().filter(|sink| matches!(sink.kind, SinkKind::Kafka(_)));
        let count =
            |sink: &SinkConfig| (Arc::clone(&sink.id), PartitionCount::new(PARTITIONS.into()));
        let counts: PartitionCounts = topics.map(count).collect();
        let courier = TopicCourier {
            topic: Arc::clone(&self.topic),
            network: Arc::clone(&self.network),
            instance: Arc::clone(&self.instance),
            runtime: self.runtime.clone(),
            in_hand: None,
        };
        Ok((!counts.is_empty()).then(|| (Box::new(courier) as Box<dyn Courier>, counts)))
    }
}

struct LogSource {
    logs: Arc<Logs>,
    runtime: Runtime,
    diary: Diary,
    lead: Lead,
    chain: usize,
    reading: Reading,
    faults: Arc<Mutex<Vec<String>>>,
    random: Pcg64Mcg,
    at: BTreeMap<Partition, usize>,
    progress: Vec<PartitionProgress>,
    paused: BTreeSet<Partition>,
}

impl LogSource {
    fn position(&self, partition: &Partition, at: usize) -> Position {
        let ended = at == self.logs[partition].len();
        Position { ended, ..Position::at(NextOffset::at(at as i64)) }
    }

    fn note_progress(&mut self) {
        let progress = |(partition, log): (&Partition, &Vec<(Duration, String)>)| {
            let ended = self.at.get(partition) == Some(&log.len());
            PartitionProgress {
                partition: partition.clone(),
                read_to: None,
                end_offset: Some(log.len() as i64),
                caught_up: ended,
                looked_at: None,
                ended,
            }
        };
        self.progress = self.logs.iter().map(progress).collect();
    }

    fn is_wrong(&self, fault: &str) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault.to_owned());
    }

    /// What has come by now, some of it.
    fn take(&mut self, partition: &Partition, most: usize) -> Option<RecordBlock> {
        let logs = Arc::clone(&self.logs);
        let (log, now) = (&logs[partition], self.diary.now());
        let from = *self.at.get(partition)?;
        let come = log[from..].iter().take_while(|(at, _)| *at <= now).count();
        let to = from + come.min(self.random.random_range(0..=7)).min(most);
        if from == to {
            return None;
        }
        self.at.insert(partition.clone(), to);
        Some(RecordBlock {
            partition: partition.clone(),
            values: Arc::new(
                log[from..to].iter().map(|(_, value)| value.as_bytes()).collect::<Varlen>(),
            ),
            no_value: Absent::default(),
            keys: None,
            no_key: Absent::default(),
            offsets: (from..to).map(|at| at as i64).collect(),
            timestamps: None,
            headers: None,
            next: self.position(partition, to),
        })
    }
}

impl Source for LogSource {
    fn genesis(&mut self) -> Result<Option<Positions>, SourceError> {
        let start = |partition: &Partition| (partition.clone(), self.position(partition, 0));
        Ok(Some(self.logs.keys().map(start).collect()))
    }

    fn assign(&mut self, positions: &Positions) -> Result<(), SourceError> {
        for (partition, position) in positions {
            let at = usize::try_from(position.next_offset.get()).unwrap_or_default();
            self.at.insert(partition.clone(), at);
        }
        self.note_progress();
        Ok(())
    }

    fn poll(&mut self, limits: &PollLimits) -> Result<Vec<RecordBlock>, SourceError> {
        if let Standing::Doubts | Standing::Lost(_) = self.lead.standing() {
            self.is_wrong("an instance reads although it does not lead");
        }
        if !self.reading.begins(self.chain) {
            self.is_wrong("two chains read for the same tables");
        }
        let partitions: Vec<Partition> = self.logs.keys().cloned().collect();
        let mut blocks = Vec::new();
        for partition in &partitions {
            if !self.paused.contains(partition) {
                blocks.extend(self.take(partition, limits.records));
            }
        }
        self.note_progress();
        if blocks.is_empty() {
            // It may be longer than the lane wants to wait: nothing that is due may depend on the time of a poll.
            let wait = REST * self.random.random_range(1..8);
            self.runtime.block_on(async { tokio::time::sleep(wait).await });
        }
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
