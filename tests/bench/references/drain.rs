//! Draining the topic by librdkafka.
#![expect(unsafe_code, reason = "drains librdkafka's queue by the call that the source uses")]

use std::ptr;

use anyhow::{Context, Result, bail};
use rdkafka::bindings as rd;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::{BATCH_ROWS, Reference};
use crate::child::cpu_nanos;
use crate::events::PARTITIONS;

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
