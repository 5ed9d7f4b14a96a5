//! Questions as they go out, byte by byte, and answers that were written well or changed at random.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::fetch::{self, Amount, Diverging, Topic, Wanted};
use super::metadata::{self, Broker, Leader};
use super::{
    API_VERSIONS, Dialect, FETCH, FETCH_BY_NAME, LIST_OFFSETS, METADATA, METADATA_BY_NAME,
    SASL_HANDSHAKE, TopicId, Writer, ends,
};
use crate::batch::AbortedTransaction;
use crate::fault::Fault;
use crate::read::Reader;

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// By Kafka's description of the messages (`FetchRequest.json` and so on), written down by hand.
#[test]
fn questions_are_written_as_kafka_describes_them() {
    assert_eq!(
        hex(&API_VERSIONS.request(1, "c", |_| {})),
        "0000000b00120000000000010001".to_owned() + "63"
    );
    let metadata_in = |question: super::Question| {
        question.request(2, "c", |writer| metadata::write(writer, question, "sales"))
    };
    let question = metadata_in(METADATA);
    let head = "0003000c00000002000163".to_owned() + "00";
    let topic = "02".to_owned() + &"00".repeat(16) + "0673616c6573" + "00";
    assert_eq!(hex(&question), format!("00000027{head}{topic}000000"));
    let by_name = "0000001800030009000000020001630002".to_owned() + "0673616c657300" + "00000000";
    assert_eq!(hex(&metadata_in(METADATA_BY_NAME)), by_name);
    let handshake = SASL_HANDSHAKE.request(3, "c", |writer| writer.text("PLAIN"));
    assert_eq!(hex(&handshake), "0000001200110001000000030001630005504c41494e");

    let ends = LIST_OFFSETS.request(4, "c", |writer| ends::write(writer, "sales", &[(3, 5)]));
    let expected = "000200060000000400016300".to_owned()
        + "ffffffff00020673616c657302"
        + "0000000300000005ffffffffffffffff00"
        + "0000";
    assert_eq!(hex(&ends), format!("{:08x}{expected}", expected.len() / 2));

    let amount =
        Amount { wait_ms: 500, min_bytes: 1, max_bytes: 1 << 20, partition_max_bytes: 4096 };
    let wanted = [Wanted { partition: 3, offset: 258, leader_epoch: 5, fetched_epoch: -1 }];
    let topic = Topic { name: "sales", id: Some(TopicId([0xab; 16])) };
    let fetch_in = |question: super::Question, rack| {
        question.request(7, "c", |writer| {
            fetch::write(writer, question, topic, rack, amount, wanted.iter());
        })
    };
    let head = |version: &str| format!("0001{version}0000000700016300");
    let body = "ffffffff000001f400000001001000000100000000ffffffff02".to_owned();
    let partition = "02".to_owned()
        + "0000000300000005"
        + "0000000000000102"
        + "ffffffff"
        + "ffffffffffffffff"
        + "00001000"
        + "00";
    let expected = head("000d") + &body + &"ab".repeat(16) + &partition + "00010100";
    assert_eq!(hex(&fetch_in(FETCH, "")), format!("{:08x}{expected}", expected.len() / 2));
    let expected = head("000c") + &body + "0673616c6573" + &partition + "0001026100";
    assert_eq!(hex(&fetch_in(FETCH_BY_NAME, "a")), format!("{:08x}{expected}", expected.len() / 2));
}

#[test]
fn an_id_is_shown_as_kafkas_tools_show_it() {
    let bytes = [
        0xfb, 0xff, 0xbf, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c,
        0x0d,
    ];
    assert_eq!(TopicId(bytes).text(), "-_-_AQIDBAUGBwgJCgsMDQ");
}

#[test]
fn what_a_broker_lacks_is_named_with_what_it_has() {
    let answer = |ranges: &[(i16, i16, i16)]| {
        let mut writer = Writer::new();
        writer.int16(0);
        writer.int32(i32::try_from(ranges.len()).unwrap());
        for (key, least, most) in ranges {
            [*key, *least, *most].into_iter().for_each(|number| writer.int16(number));
        }
        writer.framed()[4..].to_vec()
    };
    let dialect = |ranges: &[(i16, i16, i16)]| Dialect::of(Reader::new(&answer(ranges))).unwrap();
    let newest = Dialect { fetch: FETCH, metadata: METADATA, has_ends: false };
    assert_eq!(dialect(&[(0, 3, 11), (1, 4, 17), (3, 0, 13)]), Ok(newest));
    let with_ends = Dialect { has_ends: true, ..newest };
    assert_eq!(dialect(&[(1, 4, 17), (2, 1, 11), (3, 0, 13)]), Ok(with_ends));
    assert_eq!(dialect(&[(1, 0, 12), (3, 0, 11)]), Ok(Dialect::OLDEST));
    assert_eq!(dialect(&[(1, 0, 11), (3, 0, 12)]), Err((FETCH_BY_NAME, Some(11))));
    assert_eq!(dialect(&[(1, 4, 13)]), Err((METADATA_BY_NAME, None)));
    let all = answer(&[(0, 3, 11), (1, 4, 17), (3, 0, 13)]);
    let cut = Dialect::of(Reader::new(&all[..all.len() - 1]));
    assert_eq!(cut, Err(Fault::CutOff { wanted: 2, left: 1 }));
}

fn metadata_answer() -> Vec<u8> {
    let mut writer = Writer::new();
    writer.int32(0);
    writer.count(2);
    for (id, host) in [(1, "one"), (2, "other")] {
        writer.int32(id);
        writer.compact_text(host);
        writer.int32(9092 + id);
        // No rack, and a field of later versions.
        writer.int8(0);
        for byte in [1, 5, 2, 0, 0] {
            writer.int8(byte);
        }
    }
    writer.compact_text("cluster");
    writer.int32(1);
    writer.count(1);
    writer.int16(0);
    writer.compact_text("sales");
    writer.raw(&[7; 16]);
    writer.int8(0);
    writer.count(2);
    for (partition, leader) in [(0, 2), (1, -1)] {
        writer.int16(if leader < 0 { 5 } else { 0 });
        writer.int32(partition);
        writer.int32(leader);
        writer.int32(40 + partition);
        for replicas in [2, 1, 0] {
            writer.count(replicas);
            (0..replicas).for_each(|_| writer.int32(1));
        }
        writer.no_tags();
    }
    writer.framed()[4..].to_vec()
}

#[test]
fn leaders_and_addresses_are_read() {
    let bytes = metadata_answer();
    let read = metadata::read(METADATA, Reader::new(&bytes)).unwrap();
    let broker = |id, host: &str, port| Broker { id, host: host.to_owned(), port };
    assert_eq!(read.brokers, [broker(1, "one", 9093), broker(2, "other", 9094)]);
    assert_eq!((read.error, read.topic), (0, Some(TopicId([7; 16]))));
    assert_eq!(read.cluster.as_deref(), Some("cluster"));
    let leader = |partition, broker, epoch| Leader { partition, broker, epoch };
    assert_eq!(read.leaders, [leader(0, Some(2), 40), leader(1, None, 41)]);
    for cut in 0..bytes.len() {
        let read = metadata::read(METADATA, Reader::new(&bytes[..cut]));
        // The last ones are not read.
        assert!(read.is_err() || cut >= bytes.len() - 1, "{cut} of {}", bytes.len());
    }
}

fn ends_answer() -> Vec<u8> {
    let mut writer = Writer::new();
    writer.int32(0);
    writer.count(1);
    writer.compact_text("sales");
    writer.count(3);
    // Known, not known yet by a new leader, and of an empty log.
    for (partition, error, offset) in [(0, 0, 70), (2, 78, -1), (1, 0, 0)] {
        writer.int32(partition);
        writer.int16(error);
        writer.int64(-1);
        writer.int64(offset);
        writer.int32(5);
        writer.no_tags();
    }
    writer.no_tags();
    writer.no_tags();
    writer.framed()[4..].to_vec()
}

#[test]
fn ends_are_read_where_the_leader_knows_them() {
    let bytes = ends_answer();
    let read = ends::read(Reader::new(&bytes)).unwrap();
    assert_eq!(read, [(0, Some(70)), (2, None), (1, Some(0))]);
    for cut in 0..bytes.len() {
        assert!(ends::read(Reader::new(&bytes[..cut])).is_err(), "{cut}");
    }
}

fn fetch_answer() -> Vec<u8> {
    let mut writer = Writer::new();
    writer.int32(30);
    writer.int16(0);
    writer.int32(0);
    writer.count(1);
    writer.raw(&[7; 16]);
    writer.count(2);
    // Records, and an aborted transaction.
    writer.int32(0);
    writer.int16(0);
    [100, 90, 10].into_iter().for_each(|number| writer.int64(number));
    writer.count(1);
    [3_000, 80].into_iter().for_each(|number| writer.int64(number));
    writer.no_tags();
    writer.int32(-1);
    writer.count(3);
    writer.raw(b"abc");
    writer.no_tags();
    // Neither, but both fields.
    writer.int32(4);
    writer.int16(74);
    [-1, -1, -1].into_iter().for_each(|number| writer.int64(number));
    writer.int8(0);
    writer.int32(6);
    writer.int8(0);
    for byte in [2, 0, 13] {
        writer.int8(byte);
    }
    writer.int32(8);
    writer.int64(77);
    writer.no_tags();
    for byte in [1, 9] {
        writer.int8(byte);
    }
    writer.int32(2);
    writer.int32(9);
    writer.no_tags();
    // Of the topic, and of the answer.
    writer.no_tags();
    writer.no_tags();
    writer.framed()[4..].to_vec()
}

fn read_fetch(bytes: Vec<u8>) -> Result<fetch::Answer, Fault> {
    let whole = Bytes::from(bytes);
    fetch::read(FETCH, &whole, Reader::new(&whole))
}

#[test]
fn records_and_what_stands_beside_them_are_read() {
    let answer = read_fetch(fetch_answer()).unwrap();
    assert_eq!((answer.throttle_ms, answer.error, answer.parts.len()), (30, 0, 2));
    let part = &answer.parts[0];
    assert_eq!((part.partition, part.error, &part.records[..]), (0, 0, &b"abc"[..]));
    assert_eq!((part.high_watermark, part.last_stable), (100, 90));
    assert_eq!(part.aborted, [AbortedTransaction { producer_id: 3_000, first_offset: 80 }]);
    assert_eq!((part.preferred_replica, part.diverging, part.leader), (None, None, None));
    let part = &answer.parts[1];
    assert_eq!((part.partition, part.error, part.preferred_replica), (4, 74, Some(6)));
    assert_eq!(part.diverging, Some(Diverging { epoch: 8, end_offset: 77 }));
    assert_eq!((part.leader, part.records.len()), (Some((2, 9)), 0));
    for cut in 0..fetch_answer().len() {
        assert!(read_fetch(fetch_answer()[..cut].to_vec()).is_err(), "{cut}");
    }
}

/// A claim of four billion elements is refused before room is made for one.
#[test]
fn a_count_that_lies_is_refused() {
    let mut bytes = fetch_answer();
    bytes.splice(10..11, [0xff, 0xff, 0xff, 0xff, 0x0f]);
    let what = "the count of topics";
    assert_eq!(read_fetch(bytes), Err(Fault::Impossible { what, value: 0xffff_fffe }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn changed_answers_are_read_or_refused(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        kind in 0..3_usize,
    ) {
        let mut bytes = [fetch_answer, metadata_answer, ends_answer][kind]();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] ^= byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if kind == 0 {
            let length = bytes.len();
            if let Ok(answer) = read_fetch(bytes) {
                prop_assert!(answer.parts.iter().all(|part| part.records.len() <= length));
            }
        } else {
            let _ = metadata::read(METADATA, Reader::new(&bytes));
            let _ = ends::read(Reader::new(&bytes));
        }
    }

    #[test]
    fn noise_is_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Dialect::of(Reader::new(&bytes));
        let _ = metadata::read(METADATA_BY_NAME, Reader::new(&bytes));
        let _ = metadata::read(METADATA, Reader::new(&bytes));
        let _ = ends::read(Reader::new(&bytes));
        let _ = FETCH.body(&bytes, 1);
        let _ = read_fetch(bytes);
    }
}
