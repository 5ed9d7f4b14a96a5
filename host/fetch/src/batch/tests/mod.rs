//! Walks over batches that were written well, and over those that were not.

pub(crate) mod writer;
mod mutated;
mod real;

use std::ops::ControlFlow;

use bytes::Bytes;

use super::{AbortedTransaction, Opener, Record, Stand, Unpacker, Walk};
use crate::fault::{Damage, Fault};
use writer::{Batch, CONTROL, SNAPPY_OF_JAVA, TRANSACTIONAL, Written};

const LIMIT: usize = 1 << 20;

/// None, gzip, snappy as Java and as C write it, lz4, zstd.
const COMPRESSIONS: [i16; 6] = [0, 1, 2, 2 | SNAPPY_OF_JAVA, 3, 4];

fn set(batches: &[Batch]) -> Bytes {
    batches.iter().flat_map(Batch::bytes).collect()
}

/// What an answer holds for a partition, and how it is read.
struct Answer {
    set: Bytes,
    from: i64,
    aborted: Vec<AbortedTransaction>,
    wants_headers: bool,
}

impl Answer {
    fn new(set: Bytes, from: i64, aborted: &[AbortedTransaction]) -> Self {
        Self { set, from, aborted: aborted.to_vec(), wants_headers: false }
    }

    fn with_headers(self, wants_headers: bool) -> Self {
        Self { wants_headers, ..self }
    }

    /// Lends all its records, `room` at a time. Where reading stands then, and the damage.
    fn lend(
        &self,
        unpacker: &mut Unpacker,
        room: usize,
        mut take: impl FnMut(&Record<'_>),
    ) -> (i64, Option<Damage>) {
        let mut left = room;
        let mut take = |record: &Record<'_>| {
            take(record);
            left = if left == 1 { room } else { left - 1 };
            if left == room { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut opener = Opener::new(self.set.clone(), self.from, &self.aborted);
        let mut next = self.from;
        while !opener.is_over() {
            let opened = opener.open(unpacker);
            let mut walk = Walk::new(opened, next).with_headers(self.wants_headers);
            loop {
                let stand = walk.walk(&mut take);
                match stand {
                    Ok(Stand::Enough) => {}
                    Ok(Stand::End) => break,
                    Err(damage) => {
                        assert_eq!(walk.walk(|_| panic!("a second time")), Err(damage.clone()));
                        return (walk.next_offset(), Some(damage));
                    }
                }
            }
            next = walk.next_offset();
        }
        (next, None)
    }
}

/// Everything, `room` records at a time. Stops at the damage.
fn read(answer: Answer, room: usize) -> (Vec<Written>, i64, Option<Damage>) {
    let mut records = Vec::new();
    let (next, damage) = answer.lend(&mut Unpacker::new(LIMIT), room, |record| {
        records.push(Written {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: (record.headers.iter())
                .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
                .collect(),
        });
    });
    (records, next, damage)
}

fn offsets(records: &[Written]) -> Vec<i64> {
    records.iter().map(|record| record.offset).collect()
}

fn run(range: std::ops::Range<i64>) -> Vec<Written> {
    range.map(|offset| Written::new(offset, format!("value {offset}").as_bytes())).collect()
}

#[test]
fn every_compression_gives_the_records_back() {
    let mut records = run(40..60);
    records[3].value = None;
    records[4].key = Some(Vec::new());
    records[5].headers = vec![(b"a".to_vec(), None), (b"a".to_vec(), Some(b"b".to_vec()))];
    records[6].timestamp = -1;
    records[7].value = Some(vec![b'x'; 100_000]);
    for compression in COMPRESSIONS {
        let batch = Batch::of(records.clone()).by(-1, compression);
        for room in [1, 7, 1000] {
            let walk = Answer::new(set(&[batch.clone(), Batch::of(run(60..61))]), 40, &[]);
            let (found, next, damage) = read(walk.with_headers(true), room);
            assert_eq!(damage, None, "compression {compression}");
            assert_eq!(found[..20], records, "compression {compression}");
            assert_eq!((found.len(), next), (21, 61));
        }
    }
}

#[test]
fn headers_that_nobody_wants_are_not_read() {
    let mut records = run(0..1);
    records[0].headers = vec![(b"a".to_vec(), None)];
    let (found, ..) = read(Answer::new(set(&[Batch::of(records)]), 0, &[]), 10);
    assert_eq!(found, run(0..1));
}

#[test]
fn gaps_and_empty_batches_move_the_position_behind_them() {
    let mut compacted = Batch::of(vec![run(3..4).remove(0), run(9..10).remove(0)]);
    (compacted.base, compacted.last) = (0, 12);
    let emptied = Batch { base: 13, last: 20, ..Batch::of(Vec::new()) };
    let (found, next, damage) = read(Answer::new(set(&[compacted, emptied]), 0, &[]), 10);
    assert_eq!((offsets(&found), next, damage), (vec![3, 9], 21, None));
}

#[test]
fn a_position_within_a_batch_repeats_nothing() {
    let (found, next, _) = read(Answer::new(set(&[Batch::of(run(0..10))]), 6, &[]), 10);
    assert_eq!((offsets(&found), next), (vec![6, 7, 8, 9], 10));
}

#[test]
fn the_brokers_time_is_that_of_the_batch() {
    let batch = Batch::of(run(0..3)).by(-1, 8);
    let (found, ..) = read(Answer::new(set(&[batch]), 0, &[]), 10);
    assert!(found.iter().all(|record| record.timestamp == 1_002), "{found:?}");
}

#[test]
fn aborted_transactions_are_left_out_and_nothing_else() {
    // Two producers, whose transactions lie in each other; the first commits one after it.
    let batches = [
        Batch::of(run(0..2)).by(1, TRANSACTIONAL),
        Batch::of(run(2..4)).by(2, TRANSACTIONAL),
        Batch::of(run(4..5)),
        Batch::mark(5, 1, 0),
        Batch::of(run(6..7)).by(2, TRANSACTIONAL | 4),
        Batch::of(run(7..8)).by(1, TRANSACTIONAL),
        Batch::mark(8, 1, 1),
        Batch::mark(9, 2, 1),
        Batch::of(run(10..11)).by(1, TRANSACTIONAL),
        Batch::mark(11, 1, 0),
    ];
    let one = |first_offset| AbortedTransaction { producer_id: 1, first_offset };
    let (found, next, damage) = read(Answer::new(set(&batches), 0, &[one(10), one(0)]), 2);
    assert_eq!((offsets(&found), next, damage), (vec![2, 3, 4, 6, 7], 12, None));
    let (found, ..) = read(Answer::new(set(&batches), 0, &[]), 100);
    assert_eq!(offsets(&found), [0, 1, 2, 3, 4, 6, 7, 10], "marks are no records");
    let (found, ..) = read(Answer::new(set(&batches), 1, &[one(0), one(10)]), 100);
    assert_eq!(offsets(&found), [2, 3, 4, 6, 7], "it begins within the transaction");
}

#[test]
fn an_abort_is_forgotten_with_its_mark_though_it_lies_before_the_position() {
    let batches = [
        Batch::of(run(0..1)).by(1, TRANSACTIONAL),
        Batch::mark(1, 1, 0),
        Batch::of(run(2..3)).by(1, TRANSACTIONAL),
    ];
    let aborted = [AbortedTransaction { producer_id: 1, first_offset: 0 }];
    let (found, next, _) = read(Answer::new(set(&batches), 2, &aborted), 10);
    assert_eq!((offsets(&found), next), (vec![2], 3));
}

#[test]
fn a_cut_batch_waits_for_the_next_answer_unless_it_is_the_first() {
    let whole = set(&[Batch::of(run(0..3)), Batch::of(run(3..6))]);
    let first = Batch::of(run(0..3)).bytes().len();
    for end in first..whole.len() {
        let (found, next, damage) = read(Answer::new(whole.slice(..end), 0, &[]), 10);
        assert_eq!((found.len(), next, damage), (3, 3, None), "cut at {end}");
    }
    for end in 1..first {
        let (found, next, damage) = read(Answer::new(whole.slice(..end), 0, &[]), 10);
        assert_eq!((found.len(), next), (0, 0));
        let fault = damage.map(|damage| damage.fault);
        assert!(matches!(fault, Some(Fault::CutOff { .. })), "cut at {end}: {fault:?}");
    }
    assert_eq!(read(Answer::new(Bytes::new(), 5, &[]), 10), (Vec::new(), 5, None));
}

/// The damage in the second of two batches, which was `change`d.
fn damage(change: impl Fn(&mut Batch)) -> Fault {
    let mut second = Batch::of(run(3..6));
    change(&mut second);
    let walk = Answer::new(set(&[Batch::of(run(0..3)), second]), 0, &[]);
    let (found, next, damage) = read(walk.with_headers(true), 10);
    let damage = damage.unwrap();
    assert_eq!(offsets(&found)[..3], [0, 1, 2]);
    assert_eq!(damage.offset, next, "the position stays before what was not read");
    assert_eq!(found.last().unwrap().offset + 1, next);
    damage.fault
}

#[test]
fn a_batch_that_lies_is_named() {
    assert_eq!(damage(|batch| batch.attributes = 5), Fault::Compression(5));
    assert_eq!(damage(|batch| batch.remains = vec![1, 2]), Fault::Remains(2));
    assert_eq!(damage(|batch| batch.count = Some(2)), Fault::Remains(14));
    let what = "the count of records";
    assert_eq!(damage(|batch| batch.count = Some(-1)), Fault::Impossible { what, value: -1 });
    let missing = Fault::CutOff { wanted: 1, left: 0 };
    assert_eq!(damage(|batch| batch.count = Some(i32::MAX)), missing);
    assert_eq!(damage(|batch| (batch.attributes, batch.count) = (4, Some(i32::MAX))), missing);
    let order = |before, found| Fault::Order { before, found };
    assert_eq!(damage(|batch| batch.records[1].offset = 3), order(3, 3));
    assert_eq!(damage(|batch| batch.records[2].offset = 9), order(4, 9));
    assert_eq!(damage(|batch| batch.last = 2), order(3, 2));
}

#[test]
fn batches_whose_offsets_go_back_are_named() {
    for (range, compression) in [(1..2, 0), (5..8, 0), (5..8, 4)] {
        let back = Batch::of(run(range.clone())).by(-1, compression);
        let batches = [Batch::of(run(0..3)), Batch::of(run(3..6)), back, Batch::of(run(8..9))];
        for from in [0, 4] {
            let (found, next, damage) = read(Answer::new(set(&batches), from, &[]), 10);
            assert_eq!((offsets(&found), next), ((from..6).collect(), 6), "{range:?}");
            let fault = Fault::Order { before: 5, found: range.start };
            assert_eq!(damage, Some(Damage { offset: 6, fault }), "{range:?} from {from}");
        }
    }
}

#[test]
fn batches_before_the_position_are_in_order_too() {
    let batches = [Batch::of(run(3..6)), Batch::of(run(0..3)), Batch::of(run(6..9))];
    let (found, next, damage) = read(Answer::new(set(&batches), 6, &[]), 10);
    let fault = Fault::Order { before: 5, found: 0 };
    assert_eq!((found.len(), next, damage), (0, 6, Some(Damage { offset: 6, fault })));
}

#[test]
fn a_wrong_checksum_and_an_old_format_are_named() {
    let mut bytes = Batch::of(run(0..3)).bytes();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let (found, next, damage) = read(Answer::new(bytes.clone().into(), 0, &[]), 10);
    let damage = damage.unwrap();
    assert_eq!((found.len(), next, damage.offset), (0, 0, 0));
    assert!(matches!(damage.fault, Fault::Checksum { .. }), "{damage}");
    bytes[16] = 1;
    let (.., damage) = read(Answer::new(bytes.into(), 0, &[]), 10);
    assert_eq!(damage.unwrap().fault, Fault::Format(1));
}

#[test]
fn few_bytes_that_unpack_to_many_are_refused() {
    let mut records = run(0..3);
    records[1].value = Some(vec![0; 2 * LIMIT]);
    for compression in COMPRESSIONS.into_iter().filter(|compression| *compression != 0) {
        let batch = Batch::of(records.clone()).by(-1, compression);
        let (found, next, damage) = read(Answer::new(set(&[batch]), 0, &[]), 10);
        assert_eq!((found.len(), next), (0, 0), "compression {compression}");
        assert_eq!(damage.unwrap().fault, Fault::TooLarge(LIMIT), "compression {compression}");
    }
}

#[test]
fn one_unpacker_goes_on_after_a_batch_that_it_refused() {
    let mut unpacker = Unpacker::new(LIMIT);
    for compression in COMPRESSIONS.into_iter().filter(|compression| *compression != 0) {
        let mut broken = Batch::of(run(0..3)).by(-1, compression).bytes();
        broken.truncate(broken.len() - 9);
        let length = i32::try_from(broken.len() - 12).unwrap();
        broken[8..12].copy_from_slice(&length.to_be_bytes());
        let checksum = crc32c::crc32c(&broken[21..]);
        broken[17..21].copy_from_slice(&checksum.to_be_bytes());
        let (_, damage) = Answer::new(broken.into(), 0, &[]).lend(&mut unpacker, 9, |_| {});
        assert!(damage.is_some(), "compression {compression}");
        let mut count = 0;
        let whole = Answer::new(set(&[Batch::of(run(0..3)).by(-1, compression)]), 0, &[]);
        let (next, damage) = whole.lend(&mut unpacker, 9, |_| count += 1);
        assert_eq!((next, damage, count), (3, None, 3), "compression {compression}");
    }
}

#[test]
fn a_mark_without_a_key_is_damage() {
    let batch = Batch::of(run(0..1)).by(1, TRANSACTIONAL | CONTROL);
    let (_, next, damage) = read(Answer::new(set(&[batch]), 0, &[]), 10);
    assert_eq!(next, 0);
    assert_eq!(damage.unwrap().fault, Fault::CutOff { wanted: 2, left: 0 });
}
