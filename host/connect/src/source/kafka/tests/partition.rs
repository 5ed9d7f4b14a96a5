//! What a partition of a topic knows of its end.

use std::time::Duration;

use crate::source::kafka::partition::{Lent, PartitionReader};
use crate::source::*;
use sluicegate_model::position::NextOffset;

const LOOK: Duration = Duration::from_secs(7);

fn reader(next: i64, end_offset: Option<i64>) -> PartitionReader {
    let position = Position { end_offset, ..Position::at(NextOffset::at(next)) };
    PartitionReader::new(&Arc::from("sales"), 0, position)
}

fn next(reader: &PartitionReader) -> i64 {
    reader.progress().read_to.unwrap().next_offset.get()
}

/// Behind the last record of a transaction lies its mark. Retention may delete both, and then the position must not lie in
/// front of what was deleted.
#[test]
fn the_position_goes_behind_what_transactions_leave_at_the_end() {
    let mut reader = reader(500, None);
    reader.see_look(501, LOOK);
    assert!(!reader.progress().caught_up);
    reader.reached_end(501);
    assert_eq!(next(&reader), 501);
    let progress = reader.progress();
    assert_eq!((progress.caught_up, progress.looked_at), (true, Some(LOOK)));
    // An older word does not move it back.
    reader.reached_end(500);
    assert_eq!(next(&reader), 501);
}

/// A new leader may write the mark of a transaction whose records the old one has. The log has no record behind the mark in the
/// epoch of those records, and whoever says that one was read there hears that it was cut off.
#[test]
fn the_epoch_of_a_position_behind_a_mark_is_not_that_of_the_last_record() {
    let epoch = |reader: &PartitionReader| reader.position().leader_epoch;
    let at = |next| {
        let position = Position { leader_epoch: Some(3), ..Position::at(NextOffset::at(next)) };
        PartitionReader::new(&Arc::from("sales"), 0, position)
    };
    let mut by_librdkafka = at(500);
    by_librdkafka.reached_end(500);
    assert_eq!(epoch(&by_librdkafka), Some(3));
    by_librdkafka.reached_end(501);
    assert_eq!(epoch(&by_librdkafka), None, "librdkafka does not tell");
    for last_stable in [501, 900] {
        let mut direct = at(500);
        direct.passed(500, None, last_stable);
        assert_eq!(epoch(&direct), Some(3));
        direct.passed(501, Some(5), last_stable);
        assert_eq!((next(&direct), epoch(&direct)), (501, Some(5)));
    }
}

#[test]
fn a_partition_with_an_open_transaction_is_not_read_to_its_end() {
    let mut reader = reader(500, None);
    // librdkafka says that nothing more may be read; the log goes on.
    reader.reached_end(500);
    reader.see_look(510, LOOK);
    let progress = reader.progress();
    assert_eq!((progress.caught_up, progress.end_offset), (false, Some(510)));
}

#[test]
fn a_bounded_range_ends_behind_its_last_transaction() {
    let mut reader = reader(5, Some(15));
    reader.reached_end(5);
    assert!(!reader.progress().ended, "a transaction is open in front of the end");
    reader.reached_end(16);
    assert!(reader.progress().ended);
}

#[test]
fn a_partition_in_trouble_is_not_known_to_be_empty() {
    let mut reader = reader(5, None);
    reader.see_look(5, LOOK);
    assert!(reader.progress().caught_up);
    reader.is_in_trouble();
    assert!(!reader.progress().caught_up);
    // Nothing but the next look says that all is well again: there may be no record for days.
    reader.see_look(5, 2 * LOOK);
    assert!(reader.progress().caught_up);
    reader.want(false);
    reader.see_look(5, LOOK);
    assert!(!reader.progress().caught_up, "nobody wants it");
}

struct Sale(i64);

impl Lent for Sale {
    fn offset(&self) -> i64 {
        self.0
    }

    fn millis(&self) -> i64 {
        0
    }

    fn is_time_of_sender(&self) -> bool {
        true
    }

    fn leader_epoch(&self) -> Option<i32> {
        None
    }

    fn key(&self) -> Option<&[u8]> {
        Some(b"store-17")
    }

    fn value(&self) -> Option<&[u8]> {
        Some(&[b'x'; 70])
    }

    fn headers(&self) -> impl Iterator<Item = Header<'_>> {
        std::iter::empty()
    }
}

#[test]
fn a_block_a_little_larger_than_the_last_has_room() {
    let mut reader = reader(0, None);
    let mut fill = |records: std::ops::Range<i64>| {
        for offset in records.clone() {
            reader.take(&Sale(offset), false);
        }
        let block = reader.finish_block().unwrap();
        assert_eq!(block.len() as i64, records.end - records.start);
        block
    };
    let first = fill(0..1_000);
    let second = fill(1_000..2_200);
    let keys = |block: &RecordBlock| block.keys.as_ref().unwrap().bytes.len();
    // Arenas that had grown would have doubled.
    assert!(second.values.bytes.capacity() < first.values.bytes.len() * 3 / 2);
    assert!(second.keys.as_ref().unwrap().bytes.capacity() < keys(&first) * 3 / 2);
    assert!(second.offsets.capacity() < first.len() * 3 / 2);
}
