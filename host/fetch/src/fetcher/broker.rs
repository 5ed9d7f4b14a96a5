//! The thread of one broker: asks, takes what came, asks again, and opens what came meanwhile.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::pace::{Bounds, Pace};
use super::request::Request;
use super::slot::Work;
use super::state::Shared;
use super::{Fetched, Options};
use crate::batch::Unpacker;
use crate::buffers::Spare;
use crate::fault::Fault;
use crate::link::{Link, LinkError};
use crate::wire::fetch::{self, Amount, Answer, Topic, Wanted};
use crate::wire::{FETCH_BY_NAME, Question, TopicId};

/// A broker that wants more rest than this is asked again all the same.
const THROTTLE_MAX: Duration = Duration::from_secs(30);

/// Fetches what this broker leads until the fetcher is dropped.
pub(super) fn start(shared: &Arc<Shared>, topic: Option<TopicId>, broker: i32) -> io::Result<()> {
    let shared = Arc::clone(shared);
    let name = format!("kafka-fetch-{broker}");
    let run = move || Worker::new(&shared, topic, broker).run();
    std::thread::Builder::new().name(name).spawn(run).map(drop)
}

/// What the thread of a broker works with.
struct Worker<'a> {
    shared: &'a Shared,
    topic: Option<TopicId>,
    broker: i32,
    link: Option<Link>,
    unpacker: Unpacker,
    answers: Spare,
    unpacked: Spare,
    pace: Pace,
    turn: usize,
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared, topic: Option<TopicId>, broker: i32) -> Self {
        let (answers, unpacked) = (Spare::default(), Spare::default());
        let unpacker = Unpacker::with_spare(shared.options.largest_batch, unpacked.clone());
        let pace = Pace::default();
        Self { shared, topic, broker, link: None, unpacker, answers, unpacked, pace, turn: 0 }
    }

    fn run(mut self) {
        let mut asked = None;
        loop {
            let next = || self.shared.next_request(self.broker, self.turn);
            let done = match asked.take() {
                Some(wanted) => self.go_on(wanted),
                None => match next() {
                    Some(request) => self.ask(request).map(Some).map_err(Ended::Failed),
                    None => return,
                },
            };
            let pause = match done {
                Ok(next) => {
                    asked = next;
                    continue;
                }
                Err(Ended::Over) => return,
                Err(Ended::Throttled(rest)) => rest,
                Err(Ended::Failed(error)) => self.fail(&error),
            };
            if self.shared.wait_while(Some(pause), |_| true).is_none() {
                return;
            }
        }
    }

    /// How long to wait before the broker is tried again.
    fn fail(&mut self, error: &LinkError) -> Duration {
        self.link = None;
        let (broker, options) = (self.broker, &self.shared.options);
        let failures = self.shared.note_failure(broker, error);
        tracing::debug!(target: "kafka", broker, failures, %error, "no records from a broker");
        pause_after(failures, options.pause, options.pause_max)
    }

    /// Asks for partitions. Which.
    fn ask(&mut self, request: Request) -> Result<Vec<Wanted>, LinkError> {
        let Request { wanted, max_bytes, is_all } = request;
        self.turn = self.turn.wrapping_add(1);
        let link = match &mut self.link {
            Some(link) => link,
            None => self.link.insert(connect(self.shared, self.broker, &self.answers)?),
        };
        let options = &self.shared.options;
        let unseen = (self.shared.who_reads.unseen)();
        let Options { wait, wait_in_silence, min_bytes, .. } = *options;
        // What is not asked for now has to wait for the answer.
        let in_silence = if is_all { wait_in_silence } else { wait };
        let (wait, min_bytes) = self.pace.of(Bounds { wait, in_silence, min_bytes }, unseen);
        let amount = Amount {
            wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
            // A broker counts no more than it may send.
            min_bytes: min_bytes.min(max_bytes).min(options.partition_max_bytes),
            max_bytes,
            partition_max_bytes: options.partition_max_bytes,
        };
        let topic = Topic { name: &options.topic, id: self.topic };
        let question = fetch_in(link, self.topic);
        link.send(question, |writer| {
            fetch::write(writer, question, topic, &options.rack, amount, wanted.iter());
        })?;
        Ok(wanted)
    }

    /// Takes the answer about these partitions, asks for what follows, and hands on what came. What was asked for then.
    fn go_on(&mut self, wanted: Vec<Wanted>) -> Result<Option<Vec<Wanted>>, Ended> {
        let answer = self.answer()?;
        let is_answered =
            |one: &&Wanted| answer.parts.iter().any(|part| part.partition == one.partition);
        // A broker whose quota is used up answers nothing but how long to wait (Kafka's `FetchSession.getThrottledResponse`).
        let waits = answer.parts.is_empty() && answer.throttle_ms > 0;
        if let Some(silent) = wanted.iter().find(|one| !waits && !is_answered(one)) {
            return Err(LinkError::Nonsense(Fault::Silent(silent.partition)).into());
        }
        let rest = Duration::from_millis(u64::try_from(answer.throttle_ms).unwrap_or(0));
        let has_records = answer.parts.iter().any(|part| !part.records.is_empty());
        self.pace.answered(has_records);
        if !has_records {
            // Nothing comes for a while: others can use the memory.
            self.answers.clear();
            self.unpacked.clear();
        }
        let work = self.shared.bring(self.broker, &wanted, answer);
        let next = match rest.is_zero() {
            true => self.shared.request_at_once(self.broker, self.turn),
            false => None,
        };
        let asked = next.map(|request| self.ask(request)).transpose();
        for work in work {
            self.open(work).ok_or(Ended::Over)?;
        }
        match asked? {
            None if !rest.is_zero() => Err(Ended::Throttled(rest.min(THROTTLE_MAX))),
            asked => Ok(asked),
        }
    }

    fn answer(&mut self) -> Result<Answer, LinkError> {
        let link = self.link.as_mut().ok_or(LinkError::Closed)?;
        let whole = link.answer()?;
        let question = fetch_in(link, self.topic);
        let answer = fetch::read(question, &whole, link.body(question, &whole)?)?;
        match answer.error {
            0 => Ok(answer),
            code => Err(LinkError::Nonsense(Fault::Impossible {
                what: "the error of a whole answer",
                value: code.into(),
            })),
        }
    }

    /// Opens what came of a partition, as much at a time as there is room for. None if it is over.
    fn open(&mut self, mut work: Work) -> Option<()> {
        while self.shared.wait_for_room(&work)? {
            let opened = work.opener.open(&mut self.unpacker);
            let Work { high_watermark, last_stable, .. } = work;
            let is_last = work.opener.is_over();
            let fetched = Fetched { opened, high_watermark, last_stable };
            self.shared.hand_on(self.broker, &work, fetched, is_last);
            if is_last {
                break;
            }
        }
        Some(())
    }
}

/// The version in which records are asked for.
fn fetch_in(link: &Link, topic: Option<TopicId>) -> Question {
    if topic.is_some() { link.dialect().fetch } else { FETCH_BY_NAME }
}

/// Why a thread does not go on at once.
enum Ended {
    /// The fetcher was dropped.
    Over,
    /// The broker wants so much rest.
    Throttled(Duration),
    Failed(LinkError),
}

impl From<LinkError> for Ended {
    fn from(error: LinkError) -> Self {
        Self::Failed(error)
    }
}

/// Twice as long after each failure.
pub(super) fn pause_after(failures: u32, first: Duration, most: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    first.saturating_mul(1 << doublings).min(most)
}

fn connect(shared: &Shared, broker: i32, answers: &Spare) -> Result<Link, LinkError> {
    let contact = shared.lock().brokers.get(&broker).map(|contact| contact.broker.clone());
    let Some(contact) = contact else { return Err(LinkError::Closed) };
    let options = &shared.options;
    let (host, port) = (&contact.host, contact.port);
    let (client, security) = (&options.client_id, &options.security);
    let link = Link::open(host, port, client, security, options.patience(), answers.clone())?;
    shared.keep_breaker(broker, link.breaker()?);
    Ok(link)
}
