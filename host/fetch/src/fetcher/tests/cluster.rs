//! Brokers that speak as much of Kafka's protocol as a fetcher asks for, and do to an answer what a test wants.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::batch::tests::writer::{Batch, Written};
use crate::read::Reader;
use crate::wire::{
    API_VERSIONS, FETCH, FETCH_BY_NAME, LIST_OFFSETS, METADATA, METADATA_BY_NAME, TopicId, Writer,
};

/// What becomes of the next answer with records.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    /// So many bytes of it are sent, and the connection is closed.
    Cut(usize),
    /// Its length says so much.
    Claim(u32),
    /// Its first byte behind the length is another.
    Garble,
    /// Each partition has this error.
    Refuse(i16),
    /// The broker wants rest afterwards.
    Throttle,
    /// The log differs before what was asked for.
    Diverge(i64),
    /// Another broker should be asked.
    Send(i32),
    /// Of each partition, the batch with this number has another first offset: no checksum covers it.
    Shift(usize, i64),
    /// Each partition gets its batches from the first one on, wherever it was asked for.
    FromStart,
    /// The partition is left out.
    LeaveOut(usize),
}

#[derive(Default)]
pub(crate) struct State {
    /// By partition, each batch with its first and last offset.
    pub(crate) logs: Vec<Vec<(i64, i64, Vec<u8>)>>,
    /// By partition: index of the broker, and the epoch.
    pub(crate) leaders: Vec<(usize, i32)>,
    pub(crate) deeds: VecDeque<Deed>,
    pub(crate) newest_fetch: i16,
    pub(crate) topic: u8,
    /// Where leaders send clients that say where they are.
    pub(crate) nearest: Option<usize>,
    /// By broker, answers with records.
    pub(crate) fed: Vec<usize>,
    /// Done to every answer that no other deed is done to.
    pub(crate) always: Option<Deed>,
    /// Answers about records that were sent whole.
    pub(crate) answers: usize,
    /// How long each question for records might wait for its answer.
    pub(crate) waits: Vec<Duration>,
    /// Asked by whoever looks, of the topic and of ends.
    pub(crate) looks: usize,
    /// The leader of this partition does not know its end.
    pub(crate) endless: Option<usize>,
    /// What is said of the topic.
    pub(crate) topic_error: i16,
    /// That were ever made.
    pub(crate) connections: Vec<TcpStream>,
    ports: Vec<u16>,
}

pub(crate) struct Cluster {
    state: Mutex<State>,
    changed: Condvar,
}

impl Cluster {
    /// With batches of `of` records each, by compressions in turn.
    pub(crate) fn new(brokers: usize, partitions: usize, batches: usize, of: i64) -> Arc<Self> {
        let log = |partition: usize| {
            (0_i64..).take(batches).map(move |batch| {
                let base = batch * of;
                let value = |offset: i64| format!("{partition} {offset} {}", "x".repeat(40));
                let records = (base..base + of).map(|at| Written::new(at, value(at).as_bytes()));
                let compression = i16::try_from(batch % 5).unwrap();
                let bytes = Batch::of(records.collect()).by(-1, compression).bytes();
                (base, base + of - 1, bytes)
            })
        };
        let listeners: Vec<_> =
            (0..brokers).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let state = State {
            logs: (0..partitions).map(|partition| log(partition).collect()).collect(),
            leaders: (0..partitions).map(|partition| (partition % brokers, 3)).collect(),
            newest_fetch: 17,
            topic: 7,
            fed: vec![0; brokers],
            ports: listeners.iter().map(|one| one.local_addr().unwrap().port()).collect(),
            ..State::default()
        };
        let cluster = Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() });
        for (broker, listener) in listeners.into_iter().enumerate() {
            let cluster = Arc::clone(&cluster);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let cluster = Arc::clone(&cluster);
                    std::thread::spawn(move || cluster.serve(broker, &stream.unwrap()));
                }
            });
        }
        cluster
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.lock().ports[0])
    }

    pub(crate) fn do_to_answers(&self, deeds: impl IntoIterator<Item = Deed>) {
        self.lock().deeds.extend(deeds);
        self.changed.notify_all();
    }

    fn serve(&self, broker: usize, mut stream: &TcpStream) {
        self.lock().connections.push(stream.try_clone().unwrap());
        let mut length = [0; 4];
        while stream.read_exact(&mut length).is_ok() {
            let mut request = vec![0; u32::from_be_bytes(length) as usize];
            if stream.read_exact(&mut request).is_err() {
                return;
            }
            let (answer, deed) = self.answer(broker, &request);
            let sent = match deed {
                Some(Deed::Cut(at)) => {
                    let _ = stream.write_all(&answer[..at.min(answer.len())]);
                    let _ = stream.shutdown(Shutdown::Both);
                    return;
                }
                Some(Deed::Claim(length)) => {
                    stream.write_all(&[&length.to_be_bytes()[..], &answer[4..]].concat())
                }
                Some(Deed::Garble) => {
                    let wrong = [answer[4] ^ 0x55];
                    stream.write_all(&[&answer[..4], &wrong, &answer[5..]].concat())
                }
                _ => stream.write_all(&answer),
            };
            if sent.is_err() {
                return;
            }
        }
    }

    fn answer(&self, broker: usize, request: &[u8]) -> (Vec<u8>, Option<Deed>) {
        let mut reader = Reader::new(request);
        let (key, version) = (reader.int16().unwrap(), reader.int16().unwrap());
        let correlation = reader.int32().unwrap();
        let client = reader.int16().unwrap();
        reader.take(usize::try_from(client).unwrap()).unwrap();
        let mut writer = Writer::new();
        writer.int32(correlation);
        if key == API_VERSIONS.key {
            self.versions(&mut writer);
            return (writer.framed(), None);
        }
        reader.skip_tags().unwrap();
        writer.no_tags();
        if key == METADATA.key {
            assert!([METADATA.version, METADATA_BY_NAME.version].contains(&version));
            self.metadata(version == METADATA.version, &mut writer);
            return (writer.framed(), None);
        }
        if key == LIST_OFFSETS.key {
            assert_eq!(version, LIST_OFFSETS.version);
            self.ends(broker, reader, &mut writer);
            return (writer.framed(), None);
        }
        assert_eq!(key, FETCH.key);
        assert!([FETCH.version, FETCH_BY_NAME.version].contains(&version));
        let deed = self.fetch(broker, version == FETCH.version, reader, &mut writer);
        (writer.framed(), deed)
    }

    fn versions(&self, writer: &mut Writer) {
        writer.int16(0);
        writer.int32(3);
        let newest = self.lock().newest_fetch;
        let metadata = if newest < FETCH.version { METADATA_BY_NAME.version } else { 13 };
        [FETCH.key, 4, newest, LIST_OFFSETS.key, 1, 10, METADATA.key, 0, metadata]
            .into_iter()
            .for_each(|number| writer.int16(number));
    }

    fn ends(&self, broker: usize, mut reader: Reader<'_>, writer: &mut Writer) {
        let mut state = self.lock();
        state.looks += 1;
        assert_eq!((reader.int32().unwrap(), reader.byte().unwrap()), (-1, 0), "all count");
        assert_eq!(reader.count("topics").unwrap(), 1);
        assert_eq!(reader.compact_text("topic").unwrap().as_deref(), Some("sales"));
        writer.int32(0);
        writer.count(1);
        writer.compact_text("sales");
        let count = reader.count("partitions").unwrap();
        writer.count(count);
        for _ in 0..count {
            let (number, epoch) = (reader.int32().unwrap(), reader.int32().unwrap());
            assert_eq!(reader.int64().unwrap(), -1, "the latest");
            reader.skip_tags().unwrap();
            let partition = usize::try_from(number).unwrap();
            let leads = state.leaders[partition] == (broker, epoch);
            let error = match state.endless == Some(partition) {
                true => 78,
                false => i16::from(!leads) * NOT_LEADER,
            };
            writer.int32(number);
            writer.int16(error);
            writer.int64(-1);
            writer.int64(if error == 0 { state.end(partition) } else { -1 });
            writer.int32(epoch);
            writer.no_tags();
        }
        writer.no_tags();
        writer.no_tags();
    }

    fn metadata(&self, has_ids: bool, writer: &mut Writer) {
        let mut state = self.lock();
        state.looks += 1;
        writer.int32(0);
        writer.count(state.ports.len());
        for (broker, port) in (0..).zip(&state.ports) {
            writer.int32(broker);
            writer.compact_text("127.0.0.1");
            writer.int32((*port).into());
            writer.int8(0);
            writer.no_tags();
        }
        writer.compact_text("shop");
        writer.int32(0);
        writer.count(1);
        writer.int16(state.topic_error);
        writer.compact_text("sales");
        if has_ids {
            writer.raw(&TopicId([state.topic; 16]).0);
        }
        writer.int8(0);
        writer.count(state.leaders.len());
        for (partition, (leader, epoch)) in (0..).zip(&state.leaders) {
            writer.int16(0);
            writer.int32(partition);
            writer.int32(i32::try_from(*leader).unwrap());
            writer.int32(*epoch);
            (0..3).for_each(|_| writer.count(0));
            writer.no_tags();
        }
        writer.int32(0);
        writer.no_tags();
        writer.no_tags();
    }

    fn fetch(
        &self,
        broker: usize,
        has_ids: bool,
        mut reader: Reader<'_>,
        writer: &mut Writer,
    ) -> Option<Deed> {
        let [_replica, wait, _least, most] = [0; 4].map(|_| reader.int32().unwrap());
        assert_eq!(reader.byte().unwrap(), 1, "committed records are wanted");
        let _session = (reader.int32().unwrap(), reader.int32().unwrap());
        assert_eq!(reader.count("topics").unwrap(), 1);
        let id: Option<[u8; 16]> = has_ids.then(|| reader.array().unwrap());
        if !has_ids {
            assert_eq!(reader.compact_text("topic").unwrap().as_deref(), Some("sales"));
        }
        let count = reader.count("partitions").unwrap();
        let mut wanted: Vec<_> = (0..count).map(|_| Wanted::read(&mut reader)).collect();
        reader.skip_tags().unwrap();
        assert_eq!(reader.count("forgotten topics").unwrap(), 0);
        let has_rack = !reader.compact_text("rack").unwrap().unwrap_or_default().is_empty();
        let wait = Duration::from_millis(u64::try_from(wait).unwrap());
        let mut state = self.lock();
        state.waits.push(wait);
        let is_there = |one: &Wanted| one.offset != state.end(one.partition);
        if !wanted.iter().any(is_there) && state.deeds.is_empty() {
            state = self.changed.wait_timeout(state, wait).unwrap().0;
        }
        let deed = state.deeds.pop_front().or(state.always);
        if let Some(Deed::LeaveOut(partition)) = deed {
            wanted.retain(|one| one.partition != partition);
        }
        let throttles = matches!(deed, Some(Deed::Throttle));
        writer.int32(if throttles { 20 } else { 0 });
        writer.int16(0);
        writer.int32(0);
        if throttles {
            // As Kafka does it: there are no topics.
            writer.count(0);
            return deed;
        }
        writer.count(1);
        match id {
            Some(id) => writer.raw(&id),
            None => writer.compact_text("sales"),
        }
        writer.count(wanted.len());
        let mut room = usize::try_from(most).unwrap();
        for one in &wanted {
            let error = match deed {
                Some(Deed::Refuse(code)) => code,
                _ if id.is_some_and(|id| id != [state.topic; 16]) => 100,
                _ => state.refusal(broker, one),
            };
            let nearest = state.nearest.filter(|nearest| has_rack && *nearest != broker);
            let elsewhere = match deed {
                Some(Deed::Send(broker)) => Some(broker),
                _ => nearest.filter(|_| error == 0).map(|broker| i32::try_from(broker).unwrap()),
            };
            let before = room;
            state.write_part(writer, one, error, (deed, elsewhere), &mut room);
            state.fed[broker] += usize::from(room < before);
        }
        writer.no_tags();
        writer.no_tags();
        state.answers += 1;
        deed
    }
}

/// A partition as it was asked for.
struct Wanted {
    partition: usize,
    epoch: i32,
    offset: i64,
    most: usize,
}

impl Wanted {
    fn read(reader: &mut Reader<'_>) -> Self {
        let partition = usize::try_from(reader.int32().unwrap()).unwrap();
        let epoch = reader.int32().unwrap();
        let offset = reader.int64().unwrap();
        let _fetched_epoch = reader.int32().unwrap();
        let _log_start = reader.int64().unwrap();
        let most = usize::try_from(reader.int32().unwrap()).unwrap();
        reader.skip_tags().unwrap();
        Self { partition, epoch, offset, most }
    }
}

impl State {
    fn end(&self, partition: usize) -> i64 {
        self.logs[partition].last().map_or(0, |(_, last, _)| last + 1)
    }

    fn refusal(&self, broker: usize, wanted: &Wanted) -> i16 {
        let (leader, newest) = self.leaders[wanted.partition];
        match wanted.epoch {
            _ if leader != broker && self.nearest != Some(broker) => NOT_LEADER,
            epoch if epoch < newest => 74,
            epoch if epoch > newest => 75,
            _ if !(0..=self.end(wanted.partition)).contains(&wanted.offset) => 1,
            _ => 0,
        }
    }

    fn write_part(
        &self,
        writer: &mut Writer,
        wanted: &Wanted,
        error: i16,
        (deed, elsewhere): (Option<Deed>, Option<i32>),
        room: &mut usize,
    ) {
        writer.int32(i32::try_from(wanted.partition).unwrap());
        writer.int16(error);
        let end = self.end(wanted.partition);
        [end, end, 0].into_iter().for_each(|number| writer.int64(number));
        writer.count(0);
        writer.int32(elsewhere.unwrap_or(-1));
        // Nothing beside such words, as with Kafka.
        let is_silent = error != 0 || elsewhere.is_some() || matches!(deed, Some(Deed::Diverge(_)));
        let records = if is_silent { Vec::new() } else { self.records(wanted, deed, *room) };
        *room = room.saturating_sub(records.len());
        writer.count(records.len());
        writer.raw(&records);
        match deed {
            Some(Deed::Diverge(end)) => {
                [1, 0, 13].into_iter().for_each(|byte| writer.int8(byte));
                writer.int32(1);
                writer.int64(end);
            }
            _ if error == NOT_LEADER => {
                let (leader, newest) = self.leaders[wanted.partition];
                [1, 1, 9].into_iter().for_each(|byte| writer.int8(byte));
                writer.int32(i32::try_from(leader).unwrap());
                writer.int32(newest);
            }
            _ => {}
        }
        writer.no_tags();
    }

    /// Batches from the one with the offset on. The last is cut off where there is no more room, the first never.
    fn records(&self, wanted: &Wanted, deed: Option<Deed>, room: usize) -> Vec<u8> {
        let mut room = wanted.most.min(room);
        let from = if matches!(deed, Some(Deed::FromStart)) { 0 } else { wanted.offset };
        let log = self.logs[wanted.partition].iter().filter(|(_, last, _)| *last >= from);
        let mut records = Vec::new();
        for (number, (first, _, bytes)) in log.enumerate() {
            let length = if records.is_empty() { bytes.len() } else { bytes.len().min(room) };
            let at = records.len();
            records.extend(&bytes[..length]);
            if let Some(Deed::Shift(shifted, by)) = deed
                && (shifted, true) == (number, length >= 8)
            {
                records[at..at + 8].copy_from_slice(&(first + by).to_be_bytes());
            }
            room = room.saturating_sub(bytes.len());
            if room == 0 {
                break;
            }
        }
        records
    }
}

const NOT_LEADER: i16 = 6;
