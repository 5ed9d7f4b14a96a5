//! Questions to the brokers that librdkafka can ask and `rdkafka` cannot: which topic and which cluster this is, where
//! partitions really end, and whether offsets have come to the group. They go over the client's own connections, with its TLS and SASL.
//!
//! Beside `batch_queue.rs` the only unsafe code of the source. Everything that comes from librdkafka is owned here by a
//! guard that gives it back, is copied out before that, and never leaves this file.
#![expect(unsafe_code, reason = "calls librdkafka; every block says why it is sound")]

use std::ffi::{CStr, c_char};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rd::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED as READ_UNCOMMITTED;
use rd::rd_kafka_admin_op_t::{
    RD_KAFKA_ADMIN_OP_DESCRIBETOPICS as DESCRIBE_TOPICS,
    RD_KAFKA_ADMIN_OP_LISTOFFSETS as LIST_OFFSETS,
};
use rdkafka::bindings as rd;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};

use super::context::Context;

/// librdkafka ends a question by itself in time; this much later nobody listens any more.
const GRACE: Duration = Duration::from_secs(1);

/// The id of a topic as Kafka's own tools print it, by the broker with this number: the controller, which librdkafka would ask
/// by itself, need not be reachable, and librdkafka's mock has none. None: the brokers give topics no ids (before Kafka 2.8).
///
/// # Errors
///
/// Why there is no answer: the topic does not exist, no broker is there, the time is over.
pub(super) fn topic_id(
    consumer: &BaseConsumer<Context>,
    topic: &CStr,
    broker: i32,
    timeout: Duration,
) -> Result<Option<String>, RDKafkaErrorCode> {
    let question = Question::new(consumer, DESCRIBE_TOPICS, timeout);
    let mut names = [topic.as_ptr()];
    // SAFETY: one C string, which is copied. Options and queue are alive; what is asked for is copied as well, and the
    // collection is given back after the call. No text of an error is asked for.
    let answer = unsafe {
        let set = rd::rd_kafka_AdminOptions_set_broker(
            question.options.as_ptr(),
            broker,
            ptr::null_mut(),
            0,
        );
        no_error(set)?;
        let topics = rd::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let Parts { client, options, queue } = question.parts();
        rd::rd_kafka_DescribeTopics(client, topics, options, queue);
        rd::rd_kafka_TopicCollection_destroy(topics);
        question.answer(timeout)?
    };
    // SAFETY: the event is alive until the end of this function, and so is all that is reached from it. An event of
    // another kind gives a null result, which is not looked into.
    unsafe {
        let result = rd::rd_kafka_event_DescribeTopics_result(answer.0.as_ptr());
        if result.is_null() {
            return Err(RDKafkaErrorCode::BadMessage);
        }
        let mut count = 0;
        let topics = rd::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        let described = elements(topics, count).first().ok_or(RDKafkaErrorCode::UnknownTopic)?;
        let error = rd::rd_kafka_TopicDescription_error(*described);
        no_error(rd::rd_kafka_error_code(error))?;
        let id = rd::rd_kafka_TopicDescription_topic_id(*described);
        let is_none = rd::rd_kafka_Uuid_most_significant_bits(id) == 0
            && rd::rd_kafka_Uuid_least_significant_bits(id) == 0;
        let id = (!is_none).then(|| text(rd::rd_kafka_Uuid_base64str(id))).flatten();
        // Kafka writes ids in the alphabet for addresses.
        Ok(id.map(|id| id.replace('+', "-").replace('/', "_")))
    }
}

/// The id of the cluster, as the last answer of a broker has told it. None if none has.
pub(super) fn cluster_id(consumer: &BaseConsumer<Context>) -> Option<String> {
    let client = consumer.client().native_ptr();
    // SAFETY: the client is alive. The text is ours, copied and given back by the function that is for it.
    unsafe {
        let id = rd::rd_kafka_clusterid(client, 0);
        let copy = text(id);
        if !id.is_null() {
            rd::rd_kafka_mem_free(client, id.cast());
        }
        copy.filter(|id| !id.is_empty())
    }
}

/// Shows offsets to the group. How it went comes to the client's own queue, and by a poll of that to its context. The
/// asynchronous commit of `rdkafka` 0.39 names no queue for the answer: librdkafka tells nobody then.
///
/// # Errors
///
/// Why nothing was sent.
pub(super) fn show(
    consumer: &BaseConsumer<Context>,
    offsets: &TopicPartitionList,
) -> Result<(), RDKafkaErrorCode> {
    let client = consumer.client().native_ptr();
    // SAFETY: the client and the list are alive, and the list is copied by the call, which keeps a reference of its own to the
    // queue. Ours is given back. Without a queue the call would wait for the answer.
    unsafe {
        let queue = rd::rd_kafka_queue_get_consumer(client);
        if queue.is_null() {
            return Err(RDKafkaErrorCode::UnknownGroup);
        }
        let sent = rd::rd_kafka_commit_queue(client, offsets.ptr(), queue, None, ptr::null_mut());
        rd::rd_kafka_queue_destroy(queue);
        no_error(sent)
    }
}

/// The high watermark of each of the partitions 0 to `partitions` − 1, records of open transactions included: at the moment
/// of the answer there was nothing behind it. None for a partition whose leader did not answer.
///
/// # Errors
///
/// Why there is no answer at all.
pub(super) fn ends(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    partitions: i32,
    timeout: Duration,
) -> Result<Vec<Option<i64>>, RDKafkaErrorCode> {
    let mut wanted = TopicPartitionList::new();
    for number in 0..partitions {
        let added = wanted.add_partition_offset(topic, number, Offset::End);
        added.map_err(|error| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail))?;
    }
    let question = Question::new(consumer, LIST_OFFSETS, timeout);
    // SAFETY: options, list and queue are alive, and the list is copied by the call. An error of setting the level
    // (there is none for this question) is ours to give back; null is taken.
    let answer = unsafe {
        let Parts { client, options, queue } = question.parts();
        let refused = rd::rd_kafka_AdminOptions_set_isolation_level(options, READ_UNCOMMITTED);
        if !refused.is_null() {
            rd::rd_kafka_error_destroy(refused);
            return Err(RDKafkaErrorCode::InvalidArgument);
        }
        rd::rd_kafka_ListOffsets(client, wanted.ptr(), options, queue);
        question.answer(timeout)?
    };
    let mut ends = vec![None; usize::try_from(partitions).unwrap_or(0)];
    // SAFETY: as for the topic's id.
    unsafe {
        let result = rd::rd_kafka_event_ListOffsets_result(answer.0.as_ptr());
        if result.is_null() {
            return Err(RDKafkaErrorCode::BadMessage);
        }
        let mut count = 0;
        let infos = rd::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        for info in elements(infos, count) {
            let one = &*rd::rd_kafka_ListOffsetsResultInfo_topic_partition(*info);
            let slot = usize::try_from(one.partition).ok().and_then(|number| ends.get_mut(number));
            if let (Some(slot), Ok(())) = (slot, no_error(one.err)) {
                *slot = (one.offset >= 0).then_some(one.offset);
            }
        }
    }
    Ok(ends)
}

/// A question on its way: how it is to be asked, and where its answer comes to.
struct Question<'c> {
    consumer: &'c BaseConsumer<Context>,
    options: NonNull<rd::rd_kafka_AdminOptions_t>,
    queue: NonNull<rd::rd_kafka_queue_t>,
}

/// The parts of a [`Question`].
struct Parts {
    client: *mut rd::rd_kafka_t,
    options: *mut rd::rd_kafka_AdminOptions_t,
    queue: *mut rd::rd_kafka_queue_t,
}

impl<'c> Question<'c> {
    fn new(
        consumer: &'c BaseConsumer<Context>,
        kind: rd::rd_kafka_admin_op_t,
        timeout: Duration,
    ) -> Self {
        let client = consumer.client().native_ptr();
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the client is alive, the kind is one that librdkafka knows, and no text is asked for. A time that it
        // does not take leaves its own, which only lets us stop listening before it does.
        let (options, queue) = unsafe {
            let options = rd::rd_kafka_AdminOptions_new(client, kind);
            rd::rd_kafka_AdminOptions_set_request_timeout(options, millis, ptr::null_mut(), 0);
            (options, rd::rd_kafka_queue_new(client))
        };
        Self {
            consumer,
            options: NonNull::new(options).expect("librdkafka knows this kind of question"),
            queue: NonNull::new(queue).expect("rd_kafka_queue_new does not fail"),
        }
    }

    /// What librdkafka is called with, as long as `self` lives.
    fn parts(&self) -> Parts {
        let client = self.consumer.client().native_ptr();
        Parts { client, options: self.options.as_ptr(), queue: self.queue.as_ptr() }
    }

    fn answer(&self, timeout: Duration) -> Result<Answer, RDKafkaErrorCode> {
        let millis = i32::try_from((timeout + GRACE).as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the queue is alive; the event is ours.
        let event = unsafe { rd::rd_kafka_queue_poll(self.queue.as_ptr(), millis) };
        let answer = Answer(NonNull::new(event).ok_or(RDKafkaErrorCode::OperationTimedOut)?);
        // SAFETY: the event is alive.
        no_error(unsafe { rd::rd_kafka_event_error(answer.0.as_ptr()) })?;
        Ok(answer)
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again. An answer that is still on its way is thrown away with the queue.
        unsafe {
            rd::rd_kafka_AdminOptions_destroy(self.options.as_ptr());
            rd::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// An event with an answer. What is read from it lives as long.
struct Answer(NonNull<rd::rd_kafka_event_t>);

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { rd::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

fn no_error(error: rd::rd_kafka_resp_err_t) -> Result<(), RDKafkaErrorCode> {
    match error {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        error => Err(error.into()),
    }
}

/// # Safety
///
/// `start` is null, or points at `count` pointers that live for `'a`.
unsafe fn elements<'a, T>(start: *mut *const T, count: usize) -> &'a [*const T] {
    if start.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(start.cast_const(), count) }
}

/// # Safety
///
/// `text` is null or a C string.
unsafe fn text(text: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
