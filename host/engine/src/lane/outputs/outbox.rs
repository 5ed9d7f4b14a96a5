//! Results for Kafka topics: rows become messages when they fire, wait for the barrier, and are handed to the courier
//! when their epoch is committed ([`sluicegate_connect::outbox`]).

use std::cell::Cell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use serde_json::Value;

use sluicegate_chain::record::{Epoch, OutboxRef};
use sluicegate_chain::{FrozenOutbox, Opened};
use sluicegate_connect::outbox::{
    Courier, Message, Outgoing, PartitionCount, PartitionCounts, partition_of,
};
use sluicegate_formats::json::encode::JsonObject;
use sluicegate_pipeline::{KafkaSinkConfig, Pipeline, SinkKind, WindowConfig};

use crate::lane::error::SeveralRows;
use crate::lane::plan::Plan;
use crate::lane::plan::columns::{FINAL_MEMBER, REVISION_COLUMN, WINDOW_COLUMNS};

/// What carries messages, and the number of partitions of each sink's topic by its id.
pub type Post = (Box<dyn Courier>, PartitionCounts);

/// The messages of a lane. Without sinks of that type it does nothing.
pub(in crate::lane) struct Outbox {
    topics: Vec<Topic>,
    /// None without topics.
    courier: Option<Box<dyn Courier>>,
    /// Identity of the chain.
    chain: Arc<str>,
    /// The stage that makes results.
    stage: Arc<str>,
    /// What fires takes no more rows: nothing is corrected later.
    fires_once: bool,
    /// Of the epoch that is being made: the lines of messages, and where each stands.
    text: Vec<u8>,
    messages: Vec<Staged>,
    /// Those of it that are no messages.
    too_large: Vec<TooLarge>,
    /// Frozen, and not yet committed.
    frozen: Option<Bytes>,
}

/// A message that its topic cannot take: once it is committed it could never be sent, and nothing after it.
pub(in crate::lane) struct TooLarge {
    pub(in crate::lane) sink: Arc<str>,
    pub(in crate::lane) key: Option<Vec<u8>>,
    pub(in crate::lane) value: Vec<u8>,
    /// What it has with its headers, and what the client takes.
    pub(in crate::lane) bytes: usize,
    pub(in crate::lane) bytes_max: usize,
}

/// More than the four headers of a message have.
const HEADERS_BYTES: usize = 512;

/// What librdkafka takes unless `message.max.bytes` says otherwise; the default of topics is a little more.
const MESSAGE_BYTES_MAX: usize = 1_000_000;

/// A message of the epoch that is being made.
struct Staged {
    topic: usize,
    /// Its line in the text.
    line: Range<usize>,
    /// Its key there.
    key: Range<usize>,
}

/// The topic of a sink, and what of a row goes there.
struct Topic {
    sink: Arc<str>,
    updates: bool,
    value: JsonObject,
    /// None: messages have no key.
    key: Option<JsonObject>,
    /// What decides about the partition, if it is not all of the key: the key without the window, so that all updates
    /// of a key lie together.
    placed_by: Option<JsonObject>,
    partitions: PartitionCount,
    /// Of key, value and headers of a message.
    bytes_max: usize,
    /// Messages without a key go to the partitions in turns.
    turn: Cell<u32>,
}

impl Outbox {
    /// The outbox of a pipeline. `post` is there if it has topics. What the newest record holds goes out at once:
    /// nobody knows whether it was sent (O4).
    pub(in crate::lane) fn open(
        config: &Pipeline,
        plan: &Plan,
        opened: &mut Opened,
        post: Option<Post>,
    ) -> Self {
        let (courier, counts) = post.unzip();
        let counts = counts.unwrap_or_default();
        let topics = config.sinks.iter().filter_map(|sink| match &sink.kind {
            SinkKind::Kafka(kafka) => {
                let partitions = counts.get(&sink.id).expect("every topic was looked up");
                Some(Topic::new(&sink.id, kafka, plan, Arc::clone(partitions)))
            }
            SinkKind::Table(_) | SinkKind::Console { .. } => None,
        });
        let mut outbox = Self {
            topics: topics.collect(),
            courier,
            chain: Arc::from(opened.chain.id()),
            stage: config
                .stateful_stage()
                .map_or_else(|| Arc::from(""), |stage| Arc::clone(&stage.id)),
            fires_once: !config.window.as_ref().is_some_and(WindowConfig::corrects),
            text: Vec::new(),
            messages: Vec::new(),
            too_large: Vec::new(),
            frozen: None,
        };
        let unsent = opened.head.as_ref().and_then(|head| head.outbox.as_ref());
        if let (Some(OutboxRef { epoch, .. }), Some(text)) = (unsent, opened.outbox.take()) {
            outbox.submit(*epoch, Bytes::from(text));
        }
        outbox
    }

    /// Takes what has fired, or raw rows. They become true with `epoch`. Rows of one group follow each other. A topic
    /// of updates hears of it only if that was the last word: what is corrected it hears of because it has changed.
    pub(in crate::lane) fn write(
        &mut self,
        rows: &RecordBatch,
        epoch: Epoch,
    ) -> Result<(), SeveralRows> {
        let fires_once = self.fires_once;
        self.write_to(|topic| !topic.updates || fires_once, rows, true, epoch)
    }

    /// Takes rows for those that want every change: of windows that take more rows, or, if they are `last`, that do
    /// not.
    pub(in crate::lane) fn write_updates(
        &mut self,
        rows: &RecordBatch,
        last: bool,
        epoch: Epoch,
    ) -> Result<(), SeveralRows> {
        self.write_to(|topic| topic.updates, rows, last, epoch)
    }

    fn write_to(
        &mut self,
        which: impl Fn(&Topic) -> bool,
        rows: &RecordBatch,
        last_word: bool,
        epoch: Epoch,
    ) -> Result<(), SeveralRows> {
        let (mut key, mut value, mut last) = (Vec::new(), Vec::new(), Vec::new());
        for (index, topic) in self.topics.iter().enumerate().filter(|(_, topic)| which(topic)) {
            let mut keys = topic.key.as_ref().map(|key| key.of(rows));
            let mut places = topic.placed_by.as_ref().map(|key| key.of(rows));
            let mut values = topic.value.of(rows);
            let partitions = topic.partitions.load(Ordering::Relaxed).max(1);
            // An epoch has one update of a group, and epochs grow.
            let of_update =
                [(REVISION_COLUMN, Value::from(epoch.0)), (FINAL_MEMBER, Value::from(last_word))];
            let more: &[(&str, Value)] = if topic.updates { &of_update } else { &[] };
            for row in 0..rows.num_rows() {
                std::mem::swap(&mut key, &mut last);
                key.clear();
                value.clear();
                if let Some(keys) = &mut keys {
                    keys.write(row, &[], &mut key);
                }
                if topic.updates && row > 0 && key == last {
                    let (sink, stage) = (topic.sink.to_string(), self.stage.to_string());
                    return Err(SeveralRows { sink, stage });
                }
                let partition = match (&mut places, &keys) {
                    (Some(places), _) => {
                        places.write(row, &[], &mut value);
                        partition_of(&value, partitions)
                    }
                    (None, Some(_)) => partition_of(&key, partitions),
                    (None, None) => topic.next_turn() % partitions,
                };
                value.clear();
                values.write(row, more, &mut value);
                let bytes = key.len() + value.len() + HEADERS_BYTES;
                if bytes > topic.bytes_max {
                    self.too_large.push(topic.too_large(&key, &value, bytes));
                    continue;
                }
                let begin = self.text.len();
                let key = (!key.is_empty()).then_some(key.as_slice());
                Message { sink: &topic.sink, partition, key, value: &value }.write(&mut self.text);
                let end = self.text.len();
                let key_end = end - 1 - value.len() - 1;
                let key = key_end - key.map_or(0, <[u8]>::len)..key_end;
                self.messages.push(Staged { topic: index, line: begin..end, key });
            }
        }
        Ok(())
    }

    /// Takes the messages that were too large for their topics.
    pub(in crate::lane) fn take_too_large(&mut self) -> Vec<TooLarge> {
        std::mem::take(&mut self.too_large)
    }

    /// Bytes that wait for the barrier.
    pub(in crate::lane) fn staged_bytes(&self) -> u64 {
        (self.text.capacity() + self.messages.capacity() * size_of::<Staged>()) as u64
    }

    /// The messages of the epoch; none if there are none. Of the updates of a group the last one stays.
    pub(in crate::lane) fn freeze(&mut self) -> Option<FrozenOutbox> {
        let (text, staged) = (std::mem::take(&mut self.text), std::mem::take(&mut self.messages));
        if staged.is_empty() {
            return None;
        }
        let mut seen = HashSet::new();
        let mut kept: Vec<&Staged> = staged
            .iter()
            .rev()
            .filter(|message| {
                let is_update = self.topics[message.topic].updates;
                !is_update || seen.insert((message.topic, &text[message.key.clone()]))
            })
            .collect();
        kept.reverse();
        let messages = kept.len() as u64;
        let text = match kept.len() == staged.len() {
            true => Bytes::from(text),
            false => kept.iter().flat_map(|message| &text[message.line.clone()]).copied().collect(),
        };
        self.frozen = Some(text.clone());
        Some(FrozenOutbox { text, messages })
    }

    /// The epoch that was frozen last is committed: its messages go out.
    pub(in crate::lane) fn committed(&mut self, epoch: Epoch) {
        if let Some(text) = self.frozen.take() {
            self.submit(epoch, text);
        }
    }

    fn submit(&mut self, epoch: Epoch, text: Bytes) {
        let chain = Arc::clone(&self.chain);
        match &mut self.courier {
            Some(courier) => courier.submit(Outgoing { chain, epoch, text }),
            None => tracing::warn!(
                %epoch, messages = text.iter().filter(|byte| **byte == b'\n').count(),
                "results that were committed for topics are not sent: the pipeline has no such sink any more"
            ),
        }
    }

    /// Whether committed messages are on their way; no epoch may be handed to the committer then (O3).
    pub(in crate::lane) fn is_unsent(&self) -> bool {
        self.courier.as_ref().is_some_and(|courier| courier.in_flight())
    }

    /// Whether what was on its way has arrived within `limit`.
    pub(in crate::lane) fn wait(&mut self, limit: Duration) -> bool {
        self.courier.as_mut().is_some_and(|courier| courier.wait(limit))
    }

    /// Why committed messages are not delivered yet.
    pub(in crate::lane) fn problem(&self) -> Option<String> {
        self.courier.as_ref()?.problem()
    }
}

impl Topic {
    fn new(
        sink: &Arc<str>,
        kafka: &KafkaSinkConfig,
        plan: &Plan,
        partitions: PartitionCount,
    ) -> Self {
        let output = &plan.output;
        let every = 0..output.fields().len();
        // Results begin with their key. Raw rows have the key that the sink names.
        let named = |name: &String| output.index_of(name).expect("the plan has looked them up");
        let placed_by: Option<Vec<usize>> = match &kafka.key {
            Some(names) => Some(names.iter().map(named).collect()),
            None => plan.logic.grouped().map(|grouped| (0..grouped.key.len()).collect()),
        };
        let bounds = WINDOW_COLUMNS.iter().filter_map(|name| output.index_of(name).ok());
        let bounds: Vec<usize> = bounds.filter(|_| kafka.updates).collect();
        let has_bounds = !bounds.is_empty();
        let key = placed_by.iter().flatten().copied().chain(bounds).collect::<Vec<usize>>();
        let value = every
            .filter(|column| !(kafka.updates && output.field(*column).name() == REVISION_COLUMN));
        Self {
            sink: Arc::clone(sink),
            updates: kafka.updates,
            value: JsonObject::new(output, value),
            key: placed_by.is_some().then(|| JsonObject::key(output, key)),
            placed_by: placed_by
                .filter(|_| has_bounds)
                .map(|columns| JsonObject::key(output, columns)),
            partitions,
            bytes_max: message_bytes_max(kafka),
            turn: Cell::new(0),
        }
    }

    fn too_large(&self, key: &[u8], value: &[u8], bytes: usize) -> TooLarge {
        TooLarge {
            sink: Arc::clone(&self.sink),
            key: (!key.is_empty()).then(|| key.to_vec()),
            value: value.to_vec(),
            bytes,
            bytes_max: self.bytes_max,
        }
    }

    /// Goes on with the turns of messages without a key.
    fn next_turn(&self) -> u32 {
        self.turn.set(self.turn.get().wrapping_add(1));
        self.turn.get()
    }
}

/// What the sink's client takes as one message.
fn message_bytes_max(kafka: &KafkaSinkConfig) -> usize {
    let written = kafka.properties.get("message.max.bytes");
    // What is no number the client refuses when it is made.
    written.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(MESSAGE_BYTES_MAX)
}
