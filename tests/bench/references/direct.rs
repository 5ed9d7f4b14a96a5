//! Draining the topic by connections of our own.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sluicegate_connect::source::kafka::KafkaSource;
use sluicegate_connect::source::{PollLimits, Source};
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{
    ClientProperties, EndPosition, FetchWay, KafkaConfig, OffsetsGroup, OnDataLoss, StartPosition,
};
use sluicegate_runtime::Bell;

use super::{BATCH_ROWS, Reference};
use crate::child::cpu_nanos;

/// Records that may wait to be polled, in bytes.
const AHEAD: u64 = 64 << 20;

/// A poll that brings nothing lasts so long.
const WAIT: Duration = Duration::from_millis(100);

/// So many polls one after the other that bring nothing are an error: half a minute.
const SILENT_POLLS: usize = 300;

/// Takes so many records of a topic from the job's own source, counts them, and nothing else.
pub(crate) fn drain_direct(brokers: &str, topic: &str, records: u64) -> Result<Reference> {
    let config = KafkaConfig {
        brokers: brokers.to_owned(),
        topic: topic.to_owned(),
        start: StartPosition::Earliest,
        end: Some(EndPosition::Latest),
        on_data_loss: OnDataLoss::Halt,
        group: OffsetsGroup::Nobody,
        fetch: FetchWay::Direct,
        properties: ClientProperties::default(),
    };
    let source = KafkaSource::connect(&config, "drain", Clock::system(), Bell::default(), AHEAD);
    let mut source = source.context("connect to the topic")?;
    let mut silent = 0;
    let positions = loop {
        // Each call waits about a second.
        match source.genesis().context("find where the topic begins")? {
            Some(positions) => break positions,
            None => silent += 10,
        }
        ensure!(silent < SILENT_POLLS, "{}", source.problem().unwrap_or_default());
    };
    source.assign(&positions).context("assign the topic")?;
    let limits = PollLimits {
        records: BATCH_ROWS,
        bytes: 8 << 20,
        wait: WAIT,
        linger: Duration::ZERO,
        unseen_until: Duration::ZERO,
    };
    let (mut drained, mut silent) = (0, 0);
    while drained < records {
        let blocks = source.poll(&limits).context("poll the topic")?;
        silent = if blocks.is_empty() { silent + 1 } else { 0 };
        ensure!(
            silent < SILENT_POLLS,
            "the topic brought nothing for 30 s after {drained} of {records} records: {}",
            source.problem().unwrap_or_default()
        );
        drained += blocks.iter().map(|block| block.len() as u64).sum::<u64>();
    }
    drop(source);
    Ok(Reference { cpu_nanos: cpu_nanos(), records: drained })
}
