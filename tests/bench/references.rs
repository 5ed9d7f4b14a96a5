//! What the job is compared with: the least that others do with the same bytes.
#![expect(unsafe_code, reason = "drains librdkafka's queue by the call that the source uses")]

use std::path::Path;
use std::ptr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::json::ReaderBuilder;
use rdkafka::bindings as rd;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use crate::child::cpu_nanos;
use crate::events::{PARTITIONS, files};

/// What a reference used.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reference {
    pub(crate) cpu_nanos: u64,
    pub(crate) records: u64,
}

/// Rows of a batch: as many as the job gives to a call.
const BATCH_ROWS: usize = 8_192;

/// arrow-json over the bytes of the files, which are in memory before the time begins: the columns that the job
/// reads, by the types that the job has, and nothing else.
pub(crate) fn arrow_json(folder: &Path) -> Result<Reference> {
    let read = |path: std::path::PathBuf| {
        std::fs::read(&path).with_context(|| format!("read `{}`", path.display()))
    };
    let texts = files(folder)?.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let schema = Arc::new(Schema::new(vec![
        Field::new("store", DataType::Utf8, false),
        Field::new("price", DataType::Decimal64(18, 2), false),
        Field::new("ts", DataType::Timestamp(TimeUnit::Second, Some("+00:00".into())), false),
    ]));
    let begin = cpu_nanos();
    let mut records = 0;
    for text in &texts {
        let builder = ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(BATCH_ROWS);
        let mut decoder = builder.build_decoder().context("make arrow-json's decoder")?;
        let mut rest = text.as_slice();
        loop {
            let taken = decoder.decode(rest).context("decode by arrow-json")?;
            rest = &rest[taken..];
            match decoder.flush().context("decode by arrow-json")? {
                Some(batch) => records += batch.num_rows() as u64,
                None if rest.is_empty() => break,
                None => {}
            }
        }
    }
    Ok(Reference { cpu_nanos: cpu_nanos() - begin, records })
}

/// Drains so many records of a topic by the batch call, counts them, and nothing else. The client is set as the
/// job's source sets it.
pub(crate) fn drain(brokers: &str, topic: &str, records: u64) -> Result<Reference> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("group.id", "drain")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("check.crcs", "true")
        .set("fetch.queue.backoff.ms", "2")
        .set("queued.min.messages", "200000")
        .set("queued.max.messages.kbytes", "65536");
    let consumer: BaseConsumer = config.create().context("make a consumer")?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning).context("assign")?;
    }
    consumer.assign(&list).context("assign the topic")?;
    let mut slots = vec![ptr::null_mut(); BATCH_ROWS];
    let mut drained = 0;
    let mut silent = 0;
    // SAFETY: the client is alive until the end of this function.
    let queue = unsafe { rd::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
    while drained < records {
        // SAFETY: the queue is alive and `slots` has room for its length of pointers.
        let count = unsafe {
            rd::rd_kafka_consume_batch_queue(queue, 100, slots.as_mut_ptr(), slots.len())
        };
        let filled = usize::try_from(count).context("drain the queue")?;
        silent = if filled == 0 { silent + 1 } else { 0 };
        if silent > 300 {
            bail!("the topic brought nothing for 30 s after {drained} of {records} records");
        }
        for message in &slots[..filled] {
            // SAFETY: a message that was given to us, destroyed once and not used again.
            unsafe {
                drained += u64::from(
                    (**message).err == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
                );
                rd::rd_kafka_message_destroy(*message);
            }
        }
    }
    // SAFETY: ours, and not used again.
    unsafe { rd::rd_kafka_queue_destroy(queue) };
    drop(consumer);
    Ok(Reference { cpu_nanos: cpu_nanos(), records: drained })
}
