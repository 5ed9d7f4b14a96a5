//! Somebody who reads a topic while it is written, as a lane does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sluicegate_connect::source::kafka::KafkaSource;
use sluicegate_connect::source::{Fetched, PollLimits, Source, SourceError};
use sluicegate_model::position::Positions;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{
    ClientProperties, FetchWay, KafkaConfig, OffsetsGroup, OnDataLoss, StartPosition,
};
use sluicegate_runtime::Bell;

use crate::direct_fetch::{Seen, seen};
use crate::harness::eventually;

/// A topic as one way of reading finds it.
pub fn config(brokers: String, topic: &str, fetch: FetchWay) -> KafkaConfig {
    // A broker that stands still is given up after two seconds.
    let properties = [("socket.timeout.ms".to_owned(), "2000".to_owned())];
    KafkaConfig {
        brokers,
        topic: topic.to_owned(),
        start: StartPosition::Earliest,
        end: None,
        on_data_loss: OnDataLoss::Halt,
        group: OffsetsGroup::Nobody,
        fetch,
        properties: ClientProperties(properties.into()),
    }
}

/// Reads a topic from its beginning.
pub struct Reader {
    config: KafkaConfig,
    source: KafkaSource,
    positions: Positions,
    pub records: BTreeMap<i32, Vec<Seen>>,
    /// What the source has said that kept it.
    pub problems: BTreeSet<String>,
    /// What it has failed with and was opened again after.
    pub failures: Vec<String>,
}

impl Reader {
    pub fn start(config: KafkaConfig) -> Self {
        let mut source = open(&config);
        let positions = eventually("the topic's range is known", || source.genesis().unwrap());
        source.assign(&positions).unwrap();
        let (records, problems) = (BTreeMap::new(), BTreeSet::new());
        Self { config, source, positions, records, problems, failures: Vec::new() }
    }

    /// A poll.
    ///
    /// # Errors
    ///
    /// Somebody has to do something: its position is lost, for example.
    pub fn read(&mut self) -> Result<(), SourceError> {
        let (wait, linger) = (Duration::from_millis(50), Duration::ZERO);
        let limits =
            PollLimits { records: 500, bytes: 1 << 20, wait, linger, unseen_until: Duration::ZERO };
        let blocks = match self.source.poll(&limits) {
            Ok(blocks) => blocks,
            Err(error @ SourceError::Failed { .. }) => {
                self.failures.push(error.to_string());
                self.reopen();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for block in blocks {
            let into = self.records.entry(block.partition.number).or_default();
            for record in (0..block.len()).map(|record| seen(&block, record)) {
                assert!(into.last().is_none_or(|last| last.offset < record.offset), "{record:?}");
                into.push(record);
            }
            self.positions.insert(block.partition.clone(), block.next);
        }
        self.problems.extend(self.source.problem());
        Ok(())
    }

    /// Begins anew where it stands, as a lane does after a failure.
    pub fn reopen(&mut self) {
        let identity = self.source.identity();
        self.source = open(&self.config);
        self.source.expect(&identity);
        self.source.assign(&self.positions).unwrap();
    }

    /// Begins anew where another one stands.
    pub fn stand_where(&mut self, other: &Self) {
        self.positions = other.positions.clone();
        self.reopen();
    }

    /// Whether it has read up to these offsets.
    pub fn has_read(&self, ends: &BTreeMap<i32, i64>) -> bool {
        ends.iter().all(|(partition, end)| {
            let last = self.records.get(partition).and_then(|records| records.last());
            last.is_some_and(|last| last.offset + 1 >= *end)
        })
    }

    /// Reads while somebody writes, and then up to where that one says.
    pub fn until(mut self, is_over: &AtomicBool, ends: &OnceLock<BTreeMap<i32, i64>>) -> Self {
        while !is_over.load(Ordering::Relaxed) {
            self.read().unwrap();
        }
        eventually("everything that was written is read", || {
            self.read().unwrap();
            ends.get().is_some_and(|ends| self.has_read(ends)).then_some(())
        });
        self
    }

    /// Who fetches for it.
    pub fn by(&self) -> &'static str {
        let Fetched { by, .. } = self.source.fetched().unwrap();
        by
    }
}

fn open(config: &KafkaConfig) -> KafkaSource {
    let (clock, bell) = (Clock::system(), Bell::default());
    let source = KafkaSource::connect(config, "three-brokers", clock, bell, 64 << 20);
    source.unwrap().with_headers(true)
}
