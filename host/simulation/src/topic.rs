//! A topic in memory, and the courier of an instance that carries messages there, over a network as bad as that of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use sluicegate_chain::{LaneStorage, inspect};
use sluicegate_connect::outbox::{Courier, Outgoing, messages};
use sluicegate_runtime::Runtime;
use tokio::sync::oneshot;

use super::instance::Instance;
use super::store::{Fate, Network};

/// Of the topic.
pub(crate) const PARTITIONS: u32 = 2;

/// Between an attempt that failed and the next.
const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// What all couriers carry to.
pub(crate) struct Topic {
    received: Mutex<Vec<Received>>,
    /// Straight to the chain, to look whether what comes is committed.
    storage: LaneStorage,
    faults: Arc<Mutex<Vec<String>>>,
}

/// A message as a reader gets it.
struct Received {
    chain: Arc<str>,
    /// Epoch and sequence.
    place: (u64, usize),
    partition: u32,
    value: String,
}

impl Topic {
    pub(crate) fn new(storage: LaneStorage, faults: Arc<Mutex<Vec<String>>>) -> Self {
        Self { received: Mutex::default(), storage, faults }
    }

    /// Takes the message of that sequence, and looks whether it is committed (O1).
    async fn append(&self, outgoing: &Outgoing, sequence: usize) {
        let Outgoing { chain, epoch, text } = outgoing;
        let record = inspect::record(&self.storage, *epoch).await;
        if !matches!(record, Ok(Some(_))) {
            let fault = format!("the topic has a message of epoch {epoch}, which is not committed");
            self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
        }
        let all = messages(text).expect("the lane has written them");
        let message = &all[sequence];
        self.received.lock().unwrap_or_else(PoisonError::into_inner).push(Received {
            chain: Arc::clone(chain),
            place: (epoch.0, sequence),
            partition: message.partition,
            value: String::from_utf8_lossy(message.value).into_owned(),
        });
    }

    /// Compares what a reader has who drops repetitions by their places.
    ///
    /// # Errors
    ///
    /// What is missing, or too much, or out of order.
    pub(crate) fn compare(&self, wanted: &BTreeSet<String>) -> Result<(), String> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut last, mut said) = (BTreeMap::new(), BTreeMap::new());
        let mut rows = BTreeSet::new();
        for Received { chain, place, partition, value } in received.iter() {
            let first = said.entry((chain, place)).or_insert(value);
            if *first != value {
                return Err(format!("message {place:?} was `{first}`, and then `{value}`"));
            }
            let last = last.entry((chain, partition)).or_insert(None);
            if *last >= Some(place) {
                continue;
            }
            *last = Some(place);
            let value: Value = serde_json::from_str(value).map_err(|error| error.to_string())?;
            let text = |member: &str| value[member].as_str().unwrap_or_default().to_owned();
            let row = format!("{} {}", text("key"), text("ids"));
            if !wanted.contains(&row) {
                return Err(format!("the topic has `{row}`, which nobody computes"));
            }
            if !rows.insert(row.clone()) {
                return Err(format!("the topic has `{row}` twice"));
            }
        }
        let lost: Vec<_> = wanted.difference(&rows).collect();
        if lost.is_empty() { Ok(()) } else { Err(format!("not in the topic: {lost:?}")) }
    }
}

/// Of one life of a lane.
pub(crate) struct TopicCourier {
    pub(crate) topic: Arc<Topic>,
    pub(crate) network: Arc<Network>,
    pub(crate) instance: Arc<Instance>,
    pub(crate) runtime: Runtime,
    pub(crate) in_hand: Option<oneshot::Receiver<()>>,
}

impl Courier for TopicCourier {
    fn submit(&mut self, outgoing: Outgoing) {
        assert!(self.in_hand.is_none(), "one outbox at a time (O3)");
        let (delivered, in_hand) = oneshot::channel();
        self.in_hand = Some(in_hand);
        let (topic, network) = (Arc::clone(&self.topic), Arc::clone(&self.network));
        let instance = Arc::clone(&self.instance);
        self.runtime.spawn(async move {
            let outgoing = Arc::new(outgoing);
            // What failed begins at the first message again (O5).
            while !deliver(&topic, &network, &instance, &outgoing).await {
                if delivered.is_closed() {
                    return;
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            let what = format!("its messages of epoch {} are delivered", outgoing.epoch);
            instance.diary.note(&instance.name, what, "");
            let _lane_has_ended = delivered.send(());
        });
    }

    fn in_flight(&self) -> bool {
        self.in_hand.is_some()
    }

    fn wait(&mut self, limit: Duration) -> bool {
        let Some(in_hand) = &mut self.in_hand else { return false };
        let waited = self.runtime.block_on(async { tokio::time::timeout(limit, in_hand).await });
        let is_delivered = matches!(waited, Ok(Ok(())));
        if is_delivered {
            self.in_hand = None;
        }
        is_delivered
    }

    fn problem(&self) -> Option<String> {
        None
    }
}

/// Sends all messages, one at a time. Whether every one is acknowledged.
async fn deliver(
    topic: &Arc<Topic>,
    network: &Network,
    instance: &Arc<Instance>,
    outgoing: &Arc<Outgoing>,
) -> bool {
    let count = outgoing.text.iter().filter(|byte| **byte == b'\n').count();
    for sequence in 0..count {
        let (wait, fate) = network.fate();
        let (topic, outgoing) = (Arc::clone(topic), Arc::clone(outgoing));
        let later = match fate {
            Fate::FailsBefore => return false,
            Fate::Lands(later) => later,
            Fate::Well | Fate::FailsAfter | Fate::Conflicts => wait,
        };
        // A request that was sent arrives, also where its sender dies.
        let sent = instance.handle.spawn(async move {
            tokio::time::sleep(later).await;
            topic.append(&outgoing, sequence).await;
        });
        if let Fate::Lands(_) = fate {
            instance.diary.note(&instance.name, "a message is on its way", "");
            return false;
        }
        if sent.await.is_err() || fate == Fate::FailsAfter {
            return false;
        }
    }
    true
}
