//! The wire to the broker garbles batches: what was garbled once is fetched again, what stays so is named with its place, and
//! nothing is passed over, read as something else, or left to a client that would pass over it.

use std::collections::BTreeMap;

use sluicegate_pipeline::FetchWay;

use crate::harness::topic::Topic;
use crate::harness::wire::garble::{Garble, MARK};
use crate::harness::wire::{Ill, Wire};
use crate::harness::{eventually, services};
use crate::three_brokers::reader::{Reader, config};

const WAYS: [FetchWay; 2] = [FetchWay::Auto, FetchWay::Direct];

const KINDS: [Garble; 9] = [
    Garble::Bit,
    Garble::Compression,
    Garble::Longer,
    Garble::Shorter,
    Garble::Format(3),
    OLD,
    Garble::Moved(-1),
    Garble::Moved(2),
    Garble::Moved(1_000_000),
];

/// Such batches are read by librdkafka alone, which finds out that it is none.
const OLD: Garble = Garble::Format(1);

/// Somebody who reads through a wire.
struct Through {
    way: FetchWay,
    wire: Wire,
    reader: Reader,
}

impl Through {
    fn read_all(&mut self, sent: i64) {
        eventually("all is read", || {
            self.reader.read().unwrap();
            self.reader.has_read(&BTreeMap::from([(0, sent)])).then_some(())
        });
    }

    /// What it fails with next. It begins again where it stands.
    fn fails(&mut self) -> String {
        let before = self.reader.failures.len();
        eventually("it fails", || match self.reader.read() {
            Ok(()) => self.reader.failures.get(before).cloned(),
            Err(error) => {
                self.reader.reopen();
                Some(error.to_string())
            }
        })
    }
}

/// A record by itself in a batch that the wire knows, and more batches behind it. Its offset.
fn send(topic: &Topic, sent: &mut i64) -> i64 {
    let offset = *sent;
    for what in [MARK, "plain", "plain"] {
        topic.send(0, 1_700_000_000_000, format!("{what} {sent}").as_bytes());
        topic.flush();
        *sent += 1;
    }
    offset
}

#[test]
fn what_a_wire_garbles_is_fetched_again_or_named() {
    let folder = tempfile::tempdir().unwrap();
    let wires = WAYS.map(|_| Wire::new());
    let broker = services::own_kafka_behind(folder.path(), &wires.each_ref());
    let topic = Topic::create(&broker.address(), "garbled", 1);
    let mut sent = 0;
    send(&topic, &mut sent);
    let mut all: Vec<_> = (WAYS.into_iter().zip(wires))
        .map(|(way, wire)| {
            let reader = Reader::start(config(wire.address(), &topic.name, way));
            Through { way, wire, reader }
        })
        .collect();
    all.iter_mut().for_each(|through| through.read_all(sent));
    for kind in KINDS {
        // Once: nobody even fails.
        let once = Ill::Garbled(kind, 1);
        all.iter().for_each(|through| through.wire.be(once));
        send(&topic, &mut sent);
        for through in &mut all {
            let failures = through.reader.failures.len();
            through.read_all(sent);
            assert_eq!(through.wire.count(once), 1, "{:?}: {kind}", through.way);
            assert_eq!(through.reader.failures.len(), failures, "{:?}: {kind}", through.way);
        }
        // Until the wire is well.
        all.iter().for_each(|through| through.wire.be(Ill::Garbled(kind, u64::MAX)));
        let offset = send(&topic, &mut sent);
        for through in &mut all {
            let (way, said) = (through.way, through.fails());
            println!("{way:?}, {kind}: {said}");
            let place = format!("{}/0", topic.name);
            assert!(said.contains(&place) && said.contains(&format!("offset {offset}")), "{said}");
            let is_read_by_librdkafka = said.contains("failed CRC32 check");
            assert_eq!(is_read_by_librdkafka, way == FetchWay::Auto && kind == OLD, "{said}");
            let read = through.reader.records[&0].len();
            assert_eq!(i64::try_from(read), Ok(offset), "{way:?}, {kind}: it has read on");
            through.wire.be(Ill::Well);
            through.read_all(sent);
        }
    }
    let expected: Vec<_> = topic.read_back().into_iter().map(|record| record.value).collect();
    for Through { way, reader, .. } in &all {
        let read = reader.records[&0].iter().map(|record| record.value.clone().unwrap());
        assert!(read.eq(expected.iter().cloned()), "{way:?}");
        assert_eq!(reader.by(), "direct");
    }
}
