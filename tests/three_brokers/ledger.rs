//! What was written: where each record lies, by the brokers' own word, and whether a reader may see it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use crate::direct_fetch::{COMPRESSIONS, Seen, send, sent_at};
use crate::harness::PATIENCE;

/// Records of one partition by their offsets.
type Records = BTreeMap<i64, Seen>;

/// What a topic holds.
#[derive(Default)]
pub struct Ledger {
    /// Readers see all of these, by partition.
    written: BTreeMap<i32, Records>,
    /// Of transactions whose end nobody knows: of each all or none.
    doubtful: Vec<Vec<(i32, Seen)>>,
    aborted: usize,
    committed: usize,
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records: usize = self.written.values().map(BTreeMap::len).sum();
        let Self { committed, aborted, doubtful, .. } = self;
        let doubtful = doubtful.len();
        write!(
            f,
            "{records} records; {committed} transactions committed, {aborted} aborted, of {doubtful} the end is not known"
        )
    }
}

impl Ledger {
    fn add(&mut self, records: Vec<(i32, Seen)>) {
        for (partition, record) in records {
            let before = self.written.entry(partition).or_default().insert(record.offset, record);
            assert_eq!(before, None, "an offset was given twice");
        }
    }

    /// Behind the last record of each partition.
    pub fn ends(&self) -> BTreeMap<i32, i64> {
        let end = |(partition, records): (&i32, &Records)| {
            (*partition, records.last_key_value().map_or(0, |(offset, _)| offset + 1))
        };
        self.written.iter().map(end).collect()
    }

    /// What stands at an offset, if a reader may see it.
    pub fn at(&self, partition: i32, offset: i64) -> Option<&Seen> {
        self.written.get(&partition)?.get(&offset)
    }

    /// The newest offset of each key of a partition.
    pub fn newest_of_keys(&self, partition: i32) -> BTreeSet<i64> {
        let mut newest = BTreeMap::new();
        for (offset, record) in self.written.get(&partition).into_iter().flatten() {
            newest.insert(&record.key, *offset);
        }
        newest.into_values().collect()
    }

    /// The first record that a reader lacks, or has another one in its place, and what it has near it.
    pub fn lost(&self, read: &BTreeMap<i32, Vec<Seen>>) -> Option<String> {
        let nothing = Vec::new();
        self.written.iter().find_map(|(partition, written)| {
            let read = read.get(partition).unwrap_or(&nothing);
            let at = |offset| read.iter().find(|one| one.offset == offset);
            let lost = written.values().find(|one| at(one.offset) != Some(one))?;
            let near = |one: &&i64| (**one - lost.offset).abs() < 6;
            let offsets: Vec<_> = read.iter().map(|one| one.offset).collect();
            let (written, offsets): (Vec<_>, Vec<_>) =
                (written.keys().filter(near).collect(), offsets.iter().filter(near).collect());
            let found = at(lost.offset);
            Some(format!(
                "{partition} lacks {lost:?}, there is {found:?}; near it {written:?} were written and {offsets:?} read"
            ))
        })
    }

    /// Whether a reader has got what was written, neither less nor more.
    #[track_caller]
    pub fn assert_read(&self, who: &str, read: &BTreeMap<i32, Vec<Seen>>) {
        let nothing = Vec::new();
        for (partition, written) in &self.written {
            let read = read.get(partition).unwrap_or(&nothing);
            let found: BTreeMap<i64, &Seen> = read.iter().map(|one| (one.offset, one)).collect();
            assert_eq!(found.len(), read.len(), "{who}: an offset of {partition} came twice");
            let lost = written.values().find(|one| found.get(&one.offset) != Some(one));
            assert_eq!(lost, None, "{who}: {partition} lacks it, or has another one");
            let doubtful = |offset: i64| {
                let at = |(number, one): &(i32, Seen)| number == partition && one.offset == offset;
                self.doubtful.iter().any(|records| records.iter().any(at))
            };
            let more =
                read.iter().find(|one| !written.contains_key(&one.offset) && !doubtful(one.offset));
            assert_eq!(more, None, "{who}: nobody may see it in {partition}");
        }
        for records in &self.doubtful {
            let is_read = |(partition, one): &(i32, Seen)| {
                read.get(partition).is_some_and(|read| read.contains(one))
            };
            let count = records.iter().filter(|one| is_read(one)).count();
            assert!(count == 0 || count == records.len(), "{who}: a part of a transaction");
        }
    }
}

/// Takes down what the brokers say that they have.
struct Acks {
    /// The brokers set the times of records.
    appends: bool,
    stored: Mutex<Vec<(i32, Seen)>>,
}

impl Acks {
    fn take(&self) -> Vec<(i32, Seen)> {
        std::mem::take(&mut *self.stored.lock().unwrap())
    }
}

impl ClientContext for Acks {
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for Acks {
    /// When it was sent, ms since 1970.
    type DeliveryOpaque = Box<i64>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<i64>) {
        // What was not delivered belongs to a transaction that is aborted: all others are tried until they are.
        let Ok(message) = result else { return };
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        // A batch that a broker has already is acknowledged with its largest time, whoever sets the times.
        let told = message.timestamp().to_millis();
        let millis = if self.appends { told } else { Some(*sent) };
        let record = Seen {
            offset: message.offset(),
            timestamp: millis.map(|millis| millis * 1000),
            key: owned(message.key()),
            value: owned(message.payload()),
            headers: headers.map(|one| (one.key.as_bytes().to_vec(), owned(one.value))).collect(),
        };
        self.stored.lock().unwrap().push((message.partition(), record));
    }
}

/// Writes to one topic, batch by batch, with all that a log can hold.
pub struct Writer {
    brokers: String,
    topic: String,
    partitions: i32,
    appends: bool,
    plain: Vec<BaseProducer<Acks>>,
    transactional: Vec<BaseProducer<Acks>>,
    n: usize,
    pub ledger: Ledger,
}

/// Of records in one batch.
const BATCH: usize = 24;

impl Writer {
    /// `appends`: the topic is one whose brokers set the times of records.
    pub fn new(brokers: &str, topic: &str, partitions: i32, appends: bool) -> Self {
        let (brokers, topic) = (brokers.to_owned(), topic.to_owned());
        let (plain, transactional) = (Vec::new(), Vec::new());
        let ledger = Ledger::default();
        let mut writer =
            Self { brokers, topic, partitions, appends, plain, transactional, n: 0, ledger };
        writer.plain = COMPRESSIONS.map(|compression| writer.producer(compression, None)).into();
        writer.transactional =
            vec![writer.transactional("lz4", 0), writer.transactional("none", 1)];
        writer
    }

    fn producer(&self, compression: &str, id: Option<&str>) -> BaseProducer<Acks> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("compression.type", compression);
        config.set("enable.idempotence", "true").set("linger.ms", "5");
        config.set("message.max.bytes", "16000000").set("socket.timeout.ms", "3000");
        config.set("reconnect.backoff.max.ms", "500").set("message.timeout.ms", "100000");
        if let Some(id) = id {
            config.set("transactional.id", id).set("transaction.timeout.ms", "100000");
        }
        let acks = Acks { appends: self.appends, stored: Mutex::default() };
        config.create_with_context(acks).unwrap()
    }

    fn transactional(&self, compression: &str, number: usize) -> BaseProducer<Acks> {
        let id = format!("{}-{number}", self.topic);
        let producer = self.producer(compression, Some(&id));
        until_done(|| producer.init_transactions(PATIENCE)).unwrap();
        producer
    }

    /// A batch of one compression, and every other time transactions that overlap, of which one may be aborted.
    pub fn write(&mut self) {
        let turn = self.n / BATCH;
        let producer = &self.plain[turn % self.plain.len()];
        for _ in 0..BATCH {
            send(producer, &self.topic, self.partitions, self.n, Box::new(sent_at(self.n)));
            self.n += 1;
        }
        producer.flush(PATIENCE).unwrap();
        self.ledger.add(producer.context().take());
        if turn.is_multiple_of(2) {
            self.write_transactions(turn.is_multiple_of(4));
        }
    }

    /// Records for a topic that is compacted, of keys that come again and again, in segments of their own: those end by the times of
    /// records.
    pub fn write_keys(&mut self) {
        let producer = &self.plain[self.n % self.plain.len()];
        self.n += 1;
        let time = 1_700_000_000_000 + i64::try_from(self.n).unwrap() * 10_000;
        for n in 0..60 {
            let (key, value) = ((n * 7 % 40).to_string(), self.n.to_string());
            let record = BaseRecord::with_opaque_to(&self.topic, Box::new(time));
            let record = record.partition(0).timestamp(time).key(&key).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        self.ledger.add(producer.context().take());
    }

    fn write_transactions(&mut self, is_aborted: bool) {
        let begun = self.transactional.iter().map(|one| until_done(|| one.begin_transaction()));
        let begun: Vec<_> = begun.collect();
        for _ in 0..BATCH / 2 {
            for producer in &self.transactional {
                send(producer, &self.topic, self.partitions, self.n, Box::new(sent_at(self.n)));
                self.n += 1;
            }
        }
        for (number, begun) in begun.into_iter().enumerate() {
            let producer = &self.transactional[number];
            let is_aborted = is_aborted && number == 0;
            let ended = begun.and_then(|()| producer.flush(PATIENCE)).and_then(|()| {
                until_done(|| match is_aborted {
                    true => producer.abort_transaction(PATIENCE),
                    false => producer.commit_transaction(PATIENCE),
                })
            });
            self.end_transaction(number, is_aborted, ended);
        }
    }

    fn end_transaction(&mut self, number: usize, is_aborted: bool, ended: KafkaResult<()>) {
        let producer = &self.transactional[number];
        let must_abort = |error: &KafkaError| matches!(error, KafkaError::Transaction(error) if error.txn_requires_abort());
        let is_aborted = is_aborted && ended.is_ok()
            || ended.as_ref().is_err_and(must_abort)
                && until_done(|| producer.abort_transaction(PATIENCE)).is_ok();
        let records = producer.context().take();
        match ended {
            _ if is_aborted => self.ledger.aborted += 1,
            Ok(()) => {
                self.ledger.add(records);
                self.ledger.committed += 1;
            }
            Err(error) => {
                println!("the end of a transaction is not known: {error}");
                self.ledger.doubtful.push(records);
                self.transactional[number] = self.transactional("lz4", number);
            }
        }
    }

    /// Each partition has a record of no transaction at its end: who has read it has read all.
    pub fn close(&mut self) {
        let producer = &self.plain[0];
        for _ in 0..4 * self.partitions {
            send(producer, &self.topic, self.partitions, self.n, Box::new(sent_at(self.n)));
            self.n += 1;
        }
        producer.flush(PATIENCE).unwrap();
        self.ledger.add(producer.context().take());
    }
}

/// Tries again what the client says may be tried again.
fn until_done(mut attempt: impl FnMut() -> KafkaResult<()>) -> KafkaResult<()> {
    let mut attempts = 0;
    loop {
        match attempt() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && attempts < 1_000 => {
                attempts += 1;
                crate::harness::wait_until(Duration::from_millis(20), || None::<()>);
            }
            other => return other,
        }
    }
}
