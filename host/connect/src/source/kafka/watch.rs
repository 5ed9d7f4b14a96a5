//! Watches the topic and the brokers: asks, round by round, and tells [`Knowledge`] what it saw.
//!
//! A thread of its own asks, because the answer may take seconds when a broker is away and a turn must not wait for it. A
//! *look* is one round of questions; what it saw holds for the time at which it asked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::ask;
use super::client::Client;
use super::context::Context;
use super::knowledge::{Knowledge, Seen};
use super::own_looks::OwnLooks;
use sluicegate_fetch::TopicSeen;
use sluicegate_model::identity::SourceIdentity;

/// How often the topic is asked for while it or the brokers are away.
const TROUBLE_REFRESH: Duration = Duration::from_secs(1);

/// How long one question about the topic may take; librdkafka reconnects meanwhile.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

impl Knowledge {
    /// What has been seen without librdkafka; none if that is to look. Its first look makes its connections, and a new partition it
    /// has to know of: it is asked where each begins.
    fn look_by(&self, own: &mut Option<OwnLooks>) -> Option<Seen> {
        let before = self.seen()?;
        let at = self.clock.monotonic();
        let TopicSeen { topic, cluster, ends } = own.as_mut()?.look()?;
        let partitions = i32::try_from(ends.len()).ok()?;
        let identity = SourceIdentity { cluster, topic: Some(topic) };
        let is_another = before.identity.contradiction(&identity).is_some();
        if is_another || partitions != before.partitions {
            return None;
        }
        Some(Seen { look: 0, partitions, identity, ends, at })
    }

    fn look_by_client(&self, client: &Client) -> Result<Seen, String> {
        let consumer = client.ask().map_err(|error| error.to_string())?;
        let consumer = &*consumer;
        let at = self.clock.monotonic();
        if self.broker.load(Ordering::Relaxed) < 0 {
            self.partitions(consumer)?;
        }
        // Which topic it is comes first: the question about its partitions also tells librdkafka, which would go on in another
        // topic of the same name as if it were the same.
        let topic = self.topic_id(consumer)?;
        let partitions = self.partitions(consumer)?;
        let ends = ask::ends(consumer, &self.topic, partitions, METADATA_TIMEOUT);
        let ends = ends.unwrap_or_else(|code| {
            tracing::debug!(target: "kafka", %code, "no answer about the ends of partitions");
            vec![None; usize::try_from(partitions).unwrap_or(0)]
        });
        let identity = SourceIdentity { cluster: ask::cluster_id(consumer), topic };
        Ok(Seen { look: 0, partitions, identity, ends, at })
    }

    /// None: the brokers give topics no ids.
    fn topic_id(&self, consumer: &BaseConsumer<Context>) -> Result<Option<String>, String> {
        use RDKafkaErrorCode as Code;
        // If it does not answer, the next look begins with another one.
        let broker = self.broker.swap(-1, Ordering::Relaxed);
        match ask::topic_id(consumer, &self.topic_c, broker, METADATA_TIMEOUT) {
            Ok(id) => Ok(id),
            Err(Code::UnsupportedFeature | Code::UnsupportedVersion) => Ok(None),
            Err(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Err(self.missing()),
            Err(Code::TopicAuthorizationFailed) => {
                Err(self.unreadable(Code::TopicAuthorizationFailed))
            }
            Err(code) => Err(self.unreachable(&KafkaError::Global(code))),
        }
    }

    fn partitions(&self, consumer: &BaseConsumer<Context>) -> Result<i32, String> {
        let metadata = consumer
            .fetch_metadata(Some(&self.topic), METADATA_TIMEOUT)
            .map_err(|error| self.unreachable(&error))?;
        // One that is only known by its address yet has no number.
        let answered = Some(metadata.orig_broker_id()).filter(|broker| *broker >= 0);
        let any = || metadata.brokers().first().map(|broker| broker.id());
        self.broker.store(answered.or_else(any).unwrap_or(-1), Ordering::Relaxed);
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.topic);
        let error = topic.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from);
        let count = topic.map_or(0, |topic| topic.partitions().len());
        match error {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                Err(self.missing())
            }
            Some(error) => Err(self.unreadable(error)),
            None if count == 0 => Err(self.missing()),
            None => i32::try_from(count)
                .map_err(|_| format!("topic `{}` has {count} partitions", self.topic)),
        }
    }

    fn unreadable(&self, error: RDKafkaErrorCode) -> String {
        format!("topic `{}` cannot be read: {error}", self.topic)
    }

    fn missing(&self) -> String {
        format!("topic `{}` does not exist on `{}`: create it", self.topic, self.brokers)
    }

    fn unreachable(&self, error: &KafkaError) -> String {
        let words = self.last_error().unwrap_or_else(|| match error.rdkafka_error_code() {
            Some(code) => code.to_string(),
            None => error.to_string(),
        });
        // How long this attempt took, and how many were like it, is different every second.
        let words = words.split(" (after ").next().unwrap_or(&words);
        format!("broker `{}` is not reachable: {words}", self.brokers)
    }
}

/// What a look has seen. A panic is trouble like any other: without looks nobody would know of a topic that is another one
/// now, and the pipeline would seem well.
fn caught(topic: &str, look: impl FnOnce() -> Result<Seen, String>) -> Result<Seen, String> {
    catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| {
        Err(format!(
            "looking at topic `{topic}` panicked, which is a fault of Sluicegate: the log has it"
        ))
    })
}

/// Starts the thread that keeps `knowledge` fresh until [`Knowledge::stop`]. `own` looks where it can.
pub(super) fn watch(
    knowledge: &Arc<Knowledge>,
    client: &Arc<Client>,
    woken: Receiver<()>,
    mut own: Option<OwnLooks>,
) -> std::io::Result<()> {
    let (knowledge, client) = (Arc::clone(knowledge), Arc::clone(client));
    let body = move || {
        let mut silence = 0;
        while !knowledge.stop.load(Ordering::Relaxed) {
            let seen = caught(&knowledge.topic, || {
                knowledge.look_by(&mut own).map_or_else(|| knowledge.look_by_client(&client), Ok)
            });
            let pause = if seen.is_ok() { knowledge.pause(&mut silence) } else { TROUBLE_REFRESH };
            let failed = seen.is_err();
            if let Some(consumer) = client.awake() {
                let now = knowledge.clock.monotonic();
                client.context().all_down.mend(consumer.client(), &knowledge.brokers, now);
            }
            knowledge.learn(seen);
            if !failed {
                client.context().answered();
            }
            client.show_waiting();
            client.rest();
            match woken.recv_timeout(pause) {
                // Errors come in swarms while a broker is away; one look a second is enough then.
                Ok(()) if failed && !knowledge.stop.load(Ordering::Relaxed) => {
                    if woken.recv_timeout(TROUBLE_REFRESH) == Err(RecvTimeoutError::Disconnected) {
                        return;
                    }
                }
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    };
    std::thread::Builder::new().name("kafka-topic".to_owned()).spawn(body).map(drop)
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn a_look_that_panics_is_trouble_with_the_topics_name() {
        let trouble = caught("sales", || panic!("a fault")).unwrap_err();
        assert!(trouble.starts_with("looking at topic `sales` panicked"), "{trouble}");
        assert_eq!(caught("sales", || Err("away".to_owned())).unwrap_err(), "away");
    }
}
