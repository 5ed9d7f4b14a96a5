//! Fetches the partitions of one topic from the brokers that lead them, ahead of who reads.
//!
//! A thread asks who leads (`leaders.rs`), and one thread for each broker asks it for records (`broker.rs`). They share what
//! is to be fetched and what has come (`state.rs`). Who reads takes from one queue, in the order of arrival: whatever
//! partition is slow, nothing else stays in memory longer than what came before it.
//!
//! The threads of the brokers check what came and unpack it, so that who reads only walks it. Each has sent its next request
//! by then: the broker answers meanwhile.

mod slot;
mod contact;
mod queue;
mod request;
mod state;
mod leaders;
mod pace;
mod broker;
#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::{Opened, Walk};
use crate::link::{Patience, Security};
use state::Shared;

/// What is fetched, and how much of it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The brokers to ask first: `host:port`, comma separated.
    pub brokers: String,
    /// Its name.
    pub topic: String,
    /// Its id, as Kafka's own tools print it. Nothing is fetched from a topic that has another one. None: its brokers are too
    /// old to give topics ids.
    pub topic_id: Option<String>,
    /// Stands in the brokers' logs.
    pub client_id: String,
    /// Where we are: a broker may send us to a replica that is near. Empty: leaders are asked.
    pub rack: String,
    /// How brokers are spoken to.
    pub security: Security,
    /// The broker waits so long for `min_bytes`.
    pub wait: Duration,
    /// Where nothing has come for a while it waits longer and longer, up to this.
    pub wait_in_silence: Duration,
    /// Less than this is not worth an answer before `wait` is over.
    pub min_bytes: i32,
    /// Of a whole answer. A first batch that is larger comes all the same.
    pub max_bytes: i32,
    /// Of a partition in an answer.
    pub partition_max_bytes: i32,
    /// An answer that is larger is not taken.
    pub largest_answer: usize,
    /// Bytes that wait to be read; nothing is asked for, or unpacked, while there are more than half as many.
    pub queued_bytes: usize,
    /// A batch that unpacks to more bytes is refused.
    pub largest_batch: usize,
    /// For a connection.
    pub connect_within: Duration,
    /// For the next bytes of an answer, beyond the longest wait.
    pub answer_within: Duration,
    /// The first pause before a broker is tried again. Later ones double.
    pub pause: Duration,
    /// The longest.
    pub pause_max: Duration,
}

impl Options {
    fn patience(&self) -> Patience {
        let answer = self.wait.max(self.wait_in_silence) + self.answer_within;
        Patience { connect: self.connect_within, answer, largest: self.largest_answer }
    }
}

/// How much waits to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Those of a batch that lie before the position are counted with it.
    pub records: usize,
    /// Of memory.
    pub bytes: usize,
}

impl Waiting {
    /// Whatever it is.
    pub const ANYTHING: Self = Self { records: 0, bytes: 0 };
}

/// What came of a partition.
#[derive(Debug)]
pub struct Arrival {
    /// Its number.
    pub partition: i32,
    /// What came, or why nothing will.
    pub fetched: Result<Fetched, Trouble>,
}

/// Records that were checked and unpacked. There may be none: the ends have moved.
#[derive(Debug)]
pub struct Fetched {
    opened: Opened,
    /// Behind the last record that was replicated, those of open transactions included.
    pub high_watermark: i64,
    /// Behind the last record that may be read: before the first open transaction.
    pub last_stable: i64,
}

impl Fetched {
    fn size(&self) -> Waiting {
        Waiting { records: self.opened.records(), bytes: self.opened.bytes() }
    }

    /// Walks the records from `next_offset` on.
    pub fn walk(self, next_offset: i64) -> Walk {
        Walk::new(self.opened, next_offset)
    }
}

/// Why a partition brings nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The log has no such offset. It is not fetched again before it is added anew.
    OutOfRange {
        /// What was asked for.
        offset: i64,
    },
    /// The log was cut off behind a record that was read, and written again. It is not fetched again before it is added anew.
    Truncated {
        /// What was asked for.
        offset: i64,
        /// Offsets below this are as they were.
        agrees_to: i64,
    },
    /// What the broker answers leads nowhere, time after time. It is not fetched again before it is added anew.
    InVain {
        /// What was asked for.
        offset: i64,
        /// The last offset of the answer.
        last: i64,
    },
    /// The broker refuses; it is asked again later. Kafka's number for the reason.
    Refused(i16),
}

/// Who reads, as the threads know it. Nothing of it is called under a lock.
struct WhoReads {
    /// Something has come, or there is something to say of a broker.
    news: Box<dyn Fn() + Send + Sync>,
    /// For how long nobody sees what comes now.
    unseen: Box<dyn Fn() -> Duration + Send + Sync>,
}

/// Fetches until it is dropped.
pub struct Fetcher {
    shared: Arc<Shared>,
}

impl Fetcher {
    /// Begins to look for the leaders; nothing is fetched before [`Fetcher::add`]. `news` is called whenever something has come,
    /// or there is something to say of a broker: by threads that do not wait for it.
    ///
    /// # Errors
    ///
    /// The machine has no thread to spare.
    pub fn start(options: Options, news: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        Self::start_unseen(options, news, || Duration::ZERO)
    }

    /// The same for somebody who knows for how long nobody sees what becomes of what comes now: brokers where little comes may
    /// wait for more until then. `unseen` is called at each question.
    ///
    /// # Errors
    ///
    /// The machine has no thread to spare.
    pub fn start_unseen(
        options: Options,
        news: impl Fn() + Send + Sync + 'static,
        unseen: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let who_reads = WhoReads { news: Box::new(news), unseen: Box::new(unseen) };
        let shared = Arc::new(Shared::new(options, who_reads));
        leaders::start(&shared)?;
        Ok(Self { shared })
    }

    /// Fetches a partition from `offset` on, and forgets what has come of it. `epoch` is that of the record before it; none if
    /// it is not known.
    pub fn add(&self, partition: i32, offset: i64, epoch: Option<i32>) {
        self.shared.add(partition, offset, epoch.unwrap_or(-1));
    }

    /// Fetches a partition no more, and forgets what has come of it.
    pub fn remove(&self, partition: i32) {
        self.shared.remove(partition);
    }

    /// Sleeps until so many records or bytes wait, a partition is in trouble, or nothing more is asked for before something is
    /// taken. False if nothing has come.
    pub fn wait(&self, enough: Waiting, at_most: Duration) -> bool {
        self.shared.wait(enough, at_most)
    }

    /// What came first and was not taken yet.
    pub fn take(&self) -> Option<Arrival> {
        self.shared.take()
    }

    /// Why nothing comes, if that is a broker which was tried in vain more than once.
    pub fn trouble(&self) -> Option<String> {
        self.shared.lock().trouble()
    }

    /// Bytes of the last answer that was larger than is taken, since this was asked last.
    pub fn take_too_large(&self) -> Option<usize> {
        self.shared.lock().too_large.take()
    }

    /// The sentence about a broker that does not understand what is asked: waiting does not help.
    pub fn lacking(&self) -> Option<String> {
        self.shared.lock().lacking.clone()
    }

    /// The sentence about a broker that is there and that we do not get on with: it understands too little, lets nobody in, or answers
    /// nonsense time after time. Another client may fare better.
    pub fn at_odds(&self) -> Option<String> {
        self.shared.lock().at_odds.clone()
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        self.shared.stop();
    }
}
