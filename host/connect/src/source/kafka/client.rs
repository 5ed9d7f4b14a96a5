//! The client of librdkafka: there while somebody asks it for something, and put to rest when nobody has for long.
//!
//! Where connections of our own fetch and look, little is left for it: where a partition begins, and offsets that are shown to
//! the group. Its four threads wake once a second each all the same, and fifty pipelines have two hundred of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaResult;

use super::context::Context;
use super::properties::refused_property;
use super::{ask, failed};
use crate::source::SourceError;
use sluicegate_model::time::Clock;
use sluicegate_runtime::Bell;

/// Nobody has asked it for so long. A pipeline that commits more often has one client: each costs the brokers connections,
/// and by TLS handshakes.
const REST_AFTER: Duration = Duration::from_secs(30);

/// How long a source that ends waits for the group: it may be somebody's turn to take over.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

const FINISH_POLL: Duration = Duration::from_millis(20);

/// Shared by the source and the watching thread.
pub(super) struct Client {
    config: ClientConfig,
    context: Context,
    /// Rung when there is something to poll.
    bell: Bell,
    clock: Clock,
    state: Mutex<State>,
    /// The newest offsets that were not sent to the group yet.
    to_show: Mutex<Option<TopicPartitionList>>,
}

struct State {
    /// None: it rests.
    consumer: Option<Arc<BaseConsumer<Context>>>,
    /// When it was asked last, by the monotonic clock.
    asked: Duration,
}

impl Client {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// librdkafka does not take the configuration.
    pub(super) fn new(
        config: ClientConfig,
        context: Context,
        bell: Bell,
        clock: Clock,
    ) -> KafkaResult<Self> {
        let consumer = made(&config, &context, &bell)?;
        let state = State { consumer: Some(consumer), asked: clock.monotonic() };
        let (state, to_show) = (Mutex::new(state), Mutex::default());
        Ok(Self { config, context, bell, clock, state, to_show })
    }

    /// To ask it for something. It is made again if it rests.
    ///
    /// # Errors
    ///
    /// [`SourceError::Failed`]: the machine has no thread to spare, or what its properties name is there no more.
    pub(super) fn ask(&self) -> Result<Arc<BaseConsumer<Context>>, SourceError> {
        let mut state = self.lock();
        state.asked = self.clock.monotonic();
        if let Some(consumer) = &state.consumer {
            return Ok(Arc::clone(consumer));
        }
        let consumer = made(&self.config, &self.context, &self.bell)
            .map_err(|error| failed("make a client of librdkafka", refused_property(&error)))?;
        tracing::debug!(target: "kafka", "the client of librdkafka is there again");
        state.consumer = Some(Arc::clone(&consumer));
        Ok(consumer)
    }

    /// To hear what it has to say; none if it rests, or is just being made.
    pub(super) fn awake(&self) -> Option<Arc<BaseConsumer<Context>>> {
        match self.state.try_lock() {
            Ok(state) => state.consumer.clone(),
            Err(TryLockError::Poisoned(state)) => state.into_inner().consumer.clone(),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// What it has told, also before it rested.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Shows offsets to the group, soon: no turn of the lane is to wait until a client is made, which the watching thread does.
    /// How it went is told to the context.
    pub(super) fn show(&self, offsets: TopicPartitionList) {
        *self.to_show() = Some(offsets);
        match self.awake() {
            Some(_) => self.show_waiting(),
            None => self.context.look_now(),
        }
    }

    /// Sends the offsets that are to be shown, if there are any.
    pub(super) fn show_waiting(&self) {
        let Some(offsets) = self.to_show().take() else { return };
        self.context.is_showing();
        let sent = self
            .ask()
            .map_err(|error| error.to_string())
            .and_then(|consumer| ask::show(&consumer, &offsets).map_err(|code| code.to_string()));
        if let Err(error) = sent {
            tracing::debug!(error, "offsets not shown to the group");
            self.context.has_shown();
            self.context.cannot_show();
        }
    }

    /// Waits a moment until the last offsets have come to the group: a client that was just made has to find it first.
    pub(super) fn finish(&self) {
        self.show_waiting();
        let begin = self.clock.monotonic();
        while self.context.shows() && self.clock.monotonic().saturating_sub(begin) < FINISH_WITHIN {
            let Some(consumer) = self.awake() else { return };
            // Whatever else it has to say, nobody is left to hear.
            drop(consumer.poll(FINISH_POLL));
        }
    }

    /// Lets it go if nobody needs it: nobody has asked for long, nobody holds it, and no answer is to come. It takes a moment,
    /// which no turn of the lane is to wait for.
    pub(super) fn rest(&self) {
        if self.to_show().is_some() {
            return;
        }
        let mut state = self.lock();
        let is_idle = self.clock.monotonic().saturating_sub(state.asked) >= REST_AFTER;
        // Others get it under this lock only.
        let is_held = state.consumer.as_ref().is_none_or(|one| Arc::strong_count(one) > 1);
        if !is_idle || is_held || self.context.shows() {
            return;
        }
        let resting = state.consumer.take();
        drop(state);
        drop(resting);
        tracing::debug!(target: "kafka", "the client of librdkafka rests");
    }

    fn to_show(&self) -> MutexGuard<'_, Option<TopicPartitionList>> {
        self.to_show.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic leaves it there or at rest.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn made(
    config: &ClientConfig,
    context: &Context,
    bell: &Bell,
) -> KafkaResult<Arc<BaseConsumer<Context>>> {
    context.begins();
    let mut consumer: BaseConsumer<Context> = config.create_with_context(context.clone())?;
    let rings = bell.clone();
    consumer.set_nonempty_callback(move || rings.ring());
    Ok(Arc::new(consumer))
}
