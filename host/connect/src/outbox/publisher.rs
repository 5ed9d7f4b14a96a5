//! The courier to Kafka: a thread that has one epoch in hand and sends it until every message is acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};

use super::producer::{TopicProducer, headers};
use super::{
    CHAIN_HEADER, Courier, EPOCH_HEADER, Message, OutboxError, Outgoing, PIPELINE_HEADER,
    PartitionCounts, messages,
};
use sluicegate_chain::record::Epoch;
use sluicegate_model::time::Clock;
use sluicegate_pipeline::{Pipeline, SinkKind};
use sluicegate_runtime::Bell;
use sluicegate_store::backoff::Backoff;

/// The first wait after a failed attempt; doubled each time.
const BACK_OFF_MIN: Duration = Duration::from_millis(200);
/// Brokers that are back are noticed within this time.
const BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// No acknowledgement for so long means that somebody should look.
const SLOW: Duration = Duration::from_secs(3);
/// Clients are served this often while there is nothing to send: they log, and answer brokers.
const IDLE_POLL: Duration = Duration::from_millis(500);
/// Messages between two looks at acknowledgements.
const SERVE_EVERY: usize = 1_024;
/// How long to wait for acknowledgements before looking whether to stop.
const POLL: Duration = Duration::from_millis(5);

/// What a courier has done over all its lives, for whoever shows it.
#[derive(Debug, Default)]
pub struct Deliveries {
    /// Messages that brokers have acknowledged, repetitions included.
    pub sent: AtomicU64,
    /// Messages on their way to topics.
    pub unsent: AtomicU64,
    /// Attempts to send that failed.
    pub failures: AtomicU64,
}

/// The handle of the thread. Dropping it stops the thread; what was not acknowledged is sent again when the lane is
/// opened.
pub struct Publisher {
    /// None only while dropping.
    work: Option<SyncSender<Outgoing>>,
    delivered: Receiver<()>,
    /// Its end is how the thread hears that it is to stop.
    stop: Option<SyncSender<()>>,
    in_flight: bool,
    problem: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Starts the thread for the pipeline's topics, and says how many partitions each has, by the id of the sink. None if
    /// there are no topics. `bell` is rung when messages are delivered. Once `given_up` is true it looks no further for a
    /// topic that it has not found.
    ///
    /// # Errors
    ///
    /// [`OutboxError`]: a topic cannot be reached.
    pub fn open(
        pipeline: &Pipeline,
        clock: Clock,
        bell: Bell,
        deliveries: Arc<Deliveries>,
        given_up: &dyn Fn() -> bool,
    ) -> Result<Option<(Self, PartitionCounts)>, OutboxError> {
        let mut topics = Vec::new();
        for sink in &pipeline.sinks {
            if let SinkKind::Kafka(kafka) = &sink.kind {
                let mut topic = TopicProducer::new(&sink.id, kafka, &pipeline.name)?;
                topic.reach(given_up)?;
                topics.push(topic);
            }
        }
        if topics.is_empty() {
            return Ok(None);
        }
        let count =
            |topic: &TopicProducer| (Arc::clone(&topic.sink), Arc::clone(&topic.partitions));
        let counts = topics.iter().map(count).collect();
        let (work, submitted) = sync_channel(1);
        let (finished, delivered) = sync_channel(1);
        let (stop, stopped) = sync_channel(0);
        let problem = Arc::default();
        let sender = Sender {
            pipeline: Arc::clone(&pipeline.name),
            topics,
            stopped,
            problem: Arc::clone(&problem),
            clock,
            bell,
            deliveries,
        };
        let thread = std::thread::Builder::new().name(format!("outbox-{}", pipeline.name));
        let thread = thread.spawn(move || sender.run(&submitted, &finished));
        let thread = Some(thread.map_err(OutboxError::Thread)?);
        let (work, stop) = (Some(work), Some(stop));
        Ok(Some((Self { work, delivered, stop, in_flight: false, problem, thread }, counts)))
    }
}

impl Courier for Publisher {
    fn submit(&mut self, outgoing: Outgoing) {
        assert!(!self.in_flight, "one outbox in flight at a time");
        self.in_flight = true;
        let work = self.work.as_ref().expect("only a drop takes it");
        // If the thread is gone, the next wait tells.
        drop(work.try_send(outgoing));
    }

    fn in_flight(&self) -> bool {
        self.in_flight
    }

    fn wait(&mut self, limit: Duration) -> bool {
        if !self.in_flight {
            return false;
        }
        match self.delivered.recv_timeout(limit) {
            Ok(()) => self.in_flight = false,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the outbox's thread panicked"),
        }
        !self.in_flight
    }

    fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop = None;
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // If it panicked, its panic was printed.
            drop(thread.join());
        }
    }
}

struct Sender {
    pipeline: Arc<str>,
    topics: Vec<TopicProducer>,
    stopped: Receiver<()>,
    problem: Arc<Mutex<Option<String>>>,
    clock: Clock,
    /// Wakes the lane.
    bell: Bell,
    deliveries: Arc<Deliveries>,
}

/// How many messages were unacknowledged when that last changed.
struct Progress {
    unacknowledged: usize,
    since: Duration,
}

/// An attempt that did not deliver everything.
enum Failed {
    Stopped,
    Problem(String),
}

impl Sender {
    fn run(mut self, submitted: &Receiver<Outgoing>, finished: &SyncSender<()>) {
        loop {
            let outgoing = match submitted.recv_timeout(IDLE_POLL) {
                Ok(outgoing) => outgoing,
                Err(RecvTimeoutError::Timeout) => {
                    // A failure shows when something is sent.
                    self.topics.iter().for_each(|topic| drop(topic.serve(Duration::ZERO)));
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let is_delivered = self.deliver(&outgoing);
            self.deliveries.unsent.store(0, Relaxed);
            if !is_delivered || finished.send(()).is_err() {
                return;
            }
            self.bell.ring();
        }
    }

    /// Attempts until everything is acknowledged: a topic that has all of its messages is left alone while another one fails.
    /// False: stopped.
    fn deliver(&mut self, outgoing: &Outgoing) -> bool {
        let messages = match messages(&outgoing.text) {
            Ok(messages) => messages,
            Err(line) => return self.wait_for_help(outgoing.epoch, line),
        };
        let by_topic = self.addressed(messages, outgoing);
        let mut left: usize = by_topic.iter().map(Vec::len).sum();
        let mut waiting: Vec<usize> =
            (0..by_topic.len()).filter(|topic| !by_topic[*topic].is_empty()).collect();
        let seed = xxhash_rust::xxh3::xxh3_64(outgoing.chain.as_bytes());
        let mut back_off = Backoff::new(BACK_OFF_MIN, BACK_OFF_MAX, seed);
        while !waiting.is_empty() {
            let (mut failed, mut problem) = (Vec::new(), None);
            for topic in waiting {
                self.deliveries.unsent.store(left as u64, Relaxed);
                match self.attempt(topic, &by_topic[topic], outgoing) {
                    Ok(()) => {
                        left -= by_topic[topic].len();
                        self.deliveries.sent.fetch_add(by_topic[topic].len() as u64, Relaxed);
                    }
                    Err(Failed::Stopped) => return false,
                    Err(Failed::Problem(reason)) => {
                        self.deliveries.failures.fetch_add(1, Relaxed);
                        self.topics[topic].forget();
                        problem.get_or_insert(reason);
                        failed.push(topic);
                    }
                }
            }
            self.tell(problem);
            waiting = failed;
            if !waiting.is_empty() && self.is_stopped_within(back_off.wait()) {
                return false;
            }
        }
        self.tell(None);
        true
    }

    /// The chain checked the hash of what it gave back, so this program has never written what cannot be read. Nothing of it
    /// is sent, and it is not passed over either. False: stopped.
    fn wait_for_help(&self, epoch: Epoch, line: usize) -> bool {
        let line = line + 1;
        self.tell(Some(format!(
            "line {line} of the outbox of epoch {epoch} is not a message; `sluicegate reset FILE --outbox` gives it up"
        )));
        while !self.is_stopped_within(BACK_OFF_MAX) {}
        false
    }

    /// For each topic its messages with their sequences. What the pipeline has no sink for any more is left out, aloud.
    fn addressed<'t>(
        &self,
        messages: Vec<Message<'t>>,
        outgoing: &Outgoing,
    ) -> Vec<Vec<(usize, Message<'t>)>> {
        let mut left_out: BTreeMap<&str, u64> = BTreeMap::new();
        let mut by_topic = vec![Vec::new(); self.topics.len()];
        for (sequence, message) in messages.into_iter().enumerate() {
            match self.topics.iter().position(|topic| *topic.sink == *message.sink) {
                Some(topic) => by_topic[topic].push((sequence, message)),
                None => *left_out.entry(message.sink).or_default() += 1,
            }
        }
        for (sink, messages) in left_out {
            tracing::warn!(
                pipeline = %self.pipeline, epoch = %outgoing.epoch, sink, messages,
                "results that were committed for this sink are not sent: the pipeline has it no more"
            );
        }
        by_topic
    }

    /// Sends all messages of a topic, from the first.
    fn attempt(
        &mut self,
        topic: usize,
        messages: &[(usize, Message<'_>)],
        outgoing: &Outgoing,
    ) -> Result<(), Failed> {
        let count = self.topics[topic].look_up().map_err(Failed::Problem)?;
        let topic = &self.topics[topic];
        let epoch = outgoing.epoch.to_string();
        let header = |key, value| Header { key, value: Some(value) };
        let shared = OwnedHeaders::new_with_capacity(4)
            .insert(header(PIPELINE_HEADER, &*self.pipeline))
            .insert(header(CHAIN_HEADER, &*outgoing.chain))
            .insert(header(EPOCH_HEADER, &epoch));
        let mut progress = Progress { unacknowledged: 0, since: self.clock.monotonic() };
        for (sent, (sequence, message)) in messages.iter().enumerate() {
            while !topic
                .send(message, headers(&shared, *sequence), count)
                .map_err(Failed::Problem)?
            {
                self.serve(topic, POLL, &mut progress)?;
            }
            if sent % SERVE_EVERY == SERVE_EVERY - 1 {
                self.serve(topic, Duration::ZERO, &mut progress)?;
            }
        }
        while self.serve(topic, POLL, &mut progress)? > 0 {}
        Ok(())
    }

    /// Serves acknowledgements for as long as `wait`. How many messages are unacknowledged.
    fn serve(
        &self,
        topic: &TopicProducer,
        wait: Duration,
        progress: &mut Progress,
    ) -> Result<usize, Failed> {
        let unacknowledged = topic.serve(wait).map_err(Failed::Problem)?;
        let now = self.clock.monotonic();
        topic.mend(now);
        if unacknowledged != progress.unacknowledged {
            *progress = Progress { unacknowledged, since: now };
        } else if unacknowledged > 0 && now.saturating_sub(progress.since) >= SLOW {
            // What the client says it says once, and it stays true.
            match topic.complaint() {
                Some(complaint) => self.tell(Some(complaint)),
                None if self.is_silent() => self.tell(Some(format!(
                    "sink `{}` waits for acknowledgements of {unacknowledged} messages",
                    topic.sink
                ))),
                None => {}
            }
        }
        match self.stopped.try_recv() {
            Err(TryRecvError::Disconnected) => Err(Failed::Stopped),
            Ok(()) | Err(TryRecvError::Empty) => Ok(unacknowledged),
        }
    }

    fn is_stopped_within(&self, wait: Duration) -> bool {
        matches!(self.stopped.recv_timeout(wait), Err(RecvTimeoutError::Disconnected))
    }

    /// Whether nobody was told why it takes long.
    fn is_silent(&self) -> bool {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn tell(&self, problem: Option<String>) {
        let problem =
            problem.map(|problem| format!("committed results are not sent yet: {problem}"));
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}
