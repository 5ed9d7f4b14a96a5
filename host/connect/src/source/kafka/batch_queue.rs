//! librdkafka's batch call, wrapped safely: a queue of our own to which every partition's queue is forwarded.
//!
//! Polling messages one by one costs twice as much. The consumer's own queue cannot be drained this
//! way, because rebalance and error events lie in it too: it stays with [`BaseConsumer::poll`], and
//! only messages and partition errors come here. This file holds what reading needs of librdkafka
//! and `rdkafka` does not offer; questions to brokers are in `ask.rs`.
#![expect(unsafe_code, reason = "calls librdkafka; every block says why it is sound")]

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::bindings as rd;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use super::context::Context;
use super::errors::{ErrorVerdict, PartitionError};
use super::partition::Lent;
use crate::source::Header;
use sluicegate_runtime::Bell;

/// Messages taken from librdkafka in one call: anything from 64 to 16,384 costs the same, this is
/// 64 KiB of pointers.
pub(super) const BATCH_MESSAGES: usize = crate::source::ON_ITS_WAY_MAX;

/// Messages of all partitions that were forwarded to it, in the order of each partition.
pub(super) struct BatchQueue {
    queue: NonNull<rd::rd_kafka_queue_t>,
    /// Drained messages; those at `taken..filled` are ours and not yet handed on.
    slots: Vec<*mut rd::rd_kafka_message_t>,
    taken: usize,
    filled: usize,
    /// librdkafka has its address until the queue is gone.
    _bell: Box<Bell>,
    /// Lives at least as long as the queue and its messages.
    consumer: Arc<BaseConsumer<Context>>,
}

// SAFETY: librdkafka's handles may be used from any thread, and messages belong to nobody's thread; the raw
// pointers in here are owned by this struct alone.
unsafe impl Send for BatchQueue {}

impl BatchQueue {
    /// Whose queue it is.
    pub(super) fn consumer(&self) -> &BaseConsumer<Context> {
        &self.consumer
    }

    /// An empty queue of this consumer. The bell is rung whenever something comes into the empty queue.
    pub(super) fn new(consumer: Arc<BaseConsumer<Context>>, bell: Bell) -> Self {
        // SAFETY: the client is alive, the consumer holds it.
        let queue = unsafe { rd::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let queue = NonNull::new(queue).expect("rd_kafka_queue_new does not fail");
        let bell = Box::new(bell);
        let opaque = (&raw const *bell).cast_mut().cast::<c_void>();
        // SAFETY: the queue is alive. The bell stays at its address until `drop` has taken the callback back, and `ring` takes it
        // by a shared reference, from any thread.
        unsafe { rd::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(ring), opaque) }
        let slots = vec![ptr::null_mut(); BATCH_MESSAGES];
        Self { queue, slots, taken: 0, filled: 0, _bell: bell, consumer }
    }

    /// Makes messages of this partition come here. Before the partition is assigned, so that none goes elsewhere.
    /// False if librdkafka refuses the partition.
    pub(super) fn forward(&self, topic: &CStr, partition: i32) -> bool {
        let client = self.consumer.client().native_ptr();
        // SAFETY: the client is alive, the topic is a C string.
        let source = unsafe { rd::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) };
        let Some(source) = NonNull::new(source) else {
            return false;
        };
        // SAFETY: both queues are alive. Forwarding keeps a reference of its own to the target, and our reference to
        // the partition's queue is given back at once.
        unsafe {
            rd::rd_kafka_queue_forward(source.as_ptr(), self.queue.as_ptr());
            rd::rd_kafka_queue_destroy(source.as_ptr());
        }
        true
    }

    /// Drains up to `max` messages, waiting until there are so many or `timeout` has passed. Does nothing while
    /// drained messages are left. How many there are then.
    pub(super) fn fill(&mut self, timeout: Duration, max: usize) -> usize {
        if self.taken < self.filled {
            return self.filled - self.taken;
        }
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let max = max.min(self.slots.len());
        // SAFETY: the queue is alive and `slots` has room for `max` pointers. What comes back are messages that we
        // own from here on.
        let count = unsafe {
            rd::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                timeout,
                self.slots.as_mut_ptr(),
                max,
            )
        };
        self.taken = 0;
        // Negative is an error, of which the only one is a queue that may not be consumed.
        self.filled = usize::try_from(count).unwrap_or(0);
        self.filled
    }

    /// The next of the drained messages.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<KafkaMessage<'_>> {
        if self.taken == self.filled {
            return None;
        }
        let message = NonNull::new(self.slots[self.taken]).expect("drained messages are not null");
        self.taken += 1;
        Some(KafkaMessage { message, queue: PhantomData })
    }
}

impl Drop for BatchQueue {
    fn drop(&mut self) {
        while self.pop().is_some() {}
        // SAFETY: the queue is alive. librdkafka calls back under the lock that this call takes, so none goes on behind it.
        unsafe { rd::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut()) }
        // SAFETY: ours, and not used again. What is still queued is purged; partitions that forward to it keep what
        // they need alive themselves.
        unsafe { rd::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// Something came into a queue that was empty.
///
/// # Safety
///
/// `opaque` is the bell of that queue, which is alive.
unsafe extern "C" fn ring(_: *mut rd::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe { &*opaque.cast::<Bell>() }.ring();
}

/// A message, or an error of a partition, owned until it is dropped.
pub(super) struct KafkaMessage<'q> {
    message: NonNull<rd::rd_kafka_message_t>,
    queue: PhantomData<&'q BatchQueue>,
}

impl KafkaMessage<'_> {
    #[inline]
    fn raw(&self) -> &rd::rd_kafka_message_t {
        // SAFETY: alive and unchanged until it is destroyed in `drop`.
        unsafe { self.message.as_ref() }
    }

    #[inline]
    pub(super) fn partition(&self) -> i32 {
        self.raw().partition
    }

    /// What this says if it is no record.
    #[inline]
    pub(super) fn error(&self) -> Option<PartitionError> {
        let error = self.raw().err;
        (error != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| PartitionError {
            offset: self.offset(),
            verdict: ErrorVerdict::of(RDKafkaErrorCode::from(error)),
            words: String::from_utf8_lossy(self.value().unwrap_or_default()).into_owned(),
        })
    }
}

impl Lent for KafkaMessage<'_> {
    /// For an error the offset at which it happened.
    #[inline]
    fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// None for a tombstone.
    #[inline]
    fn value(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: librdkafka gives a buffer of `len` bytes that lives as long as the message, or null.
        unsafe { bytes(raw.payload.cast(), raw.len) }
    }

    /// None is not empty.
    #[inline]
    fn key(&self) -> Option<&[u8]> {
        let raw = self.raw();
        // SAFETY: as for the value.
        unsafe { bytes(raw.key.cast(), raw.key_len) }
    }

    /// Whether its timestamp is that of the sender's clock, and not of the broker's.
    fn is_time_of_sender(&self) -> bool {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, and `kind` is written before the call returns.
        unsafe { rd::rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) };
        kind == rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME
    }

    /// Milliseconds since 1970; −1 if the record carries none.
    #[inline]
    fn millis(&self) -> i64 {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, and `kind` is written before the call returns.
        unsafe { rd::rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) }
    }

    /// The record's headers in their order. librdkafka parses them here, which costs some 26 ns even if there are none:
    /// ask only if somebody wants them. What it cannot parse counts as none.
    #[inline]
    fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive, and `headers` is written if the call says that there are any. They belong to
        // the message and live as long.
        let error =
            unsafe { rd::rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers) };
        let headers =
            NonNull::new(headers).filter(|_| error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
        let of_message = move |headers: NonNull<_>| {
            // SAFETY: as said above; `self` is borrowed as long as the iterator and what it gives.
            (0..).map_while(move |index| unsafe { header(headers.as_ptr(), index) })
        };
        headers.into_iter().flat_map(of_message)
    }

    /// Kafka's leader epoch of the record; none if the broker does not tell.
    #[inline]
    fn leader_epoch(&self) -> Option<i32> {
        // SAFETY: the message is alive.
        let epoch = unsafe { rd::rd_kafka_message_leader_epoch(self.message.as_ptr()) };
        (epoch >= 0).then_some(epoch)
    }
}

impl Drop for KafkaMessage<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { rd::rd_kafka_message_destroy(self.message.as_ptr()) }
    }
}

/// # Safety
///
/// `start` is null, or points at `len` bytes that live for `'a`.
#[inline]
unsafe fn bytes<'a>(start: *const u8, len: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start, len) })
}

/// Header `index`; none behind the last.
///
/// # Safety
///
/// `headers` lives for `'a` and is not changed.
unsafe fn header<'a>(headers: *const rd::rd_kafka_headers_t, index: usize) -> Option<Header<'a>> {
    let (mut name, mut value, mut len) = (ptr::null(), ptr::null(), 0);
    // SAFETY: the caller's promise; all three are written if the call says so.
    unsafe {
        let error = rd::rd_kafka_header_get_all(
            headers,
            index,
            &raw mut name,
            &raw mut value,
            &raw mut len,
        );
        // The name is a C string. A value of no bytes is not null, which stands for none at all.
        (error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| Header {
            name: CStr::from_ptr(name).to_bytes(),
            value: bytes(value.cast(), len),
        })
    }
}

/// The end of a partition as of the last answer to a fetch, without asking anyone; none before the first.
pub(super) fn cached_end(
    consumer: &BaseConsumer<Context>,
    topic: &CStr,
    partition: i32,
) -> Option<i64> {
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is alive, the topic is a C string, and the integers are written before the call returns.
    let error = unsafe {
        rd::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition,
            &raw mut low,
            &raw mut high,
        )
    };
    (error == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
}

/// Sets the leader epoch of an entry of the list, so that librdkafka notices a log that was truncated meanwhile.
pub(super) fn set_leader_epoch(
    list: &mut TopicPartitionList,
    topic: &CStr,
    partition: i32,
    epoch: i32,
) {
    // SAFETY: the list is alive and borrowed alone; what is found is an entry of it or null.
    unsafe {
        let entry = rd::rd_kafka_topic_partition_list_find(list.ptr(), topic.as_ptr(), partition);
        if !entry.is_null() {
            rd::rd_kafka_topic_partition_set_leader_epoch(entry, epoch);
        }
    }
}
