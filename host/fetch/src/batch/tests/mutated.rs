//! Bytes that were changed at random: whatever they say, walking ends, in order, and moves over nothing that it did not read.

use proptest::collection::vec;
use proptest::prelude::*;

use super::writer::{Batch, TRANSACTIONAL, Written};
use super::{Answer, COMPRESSIONS, read, set};
use crate::batch::AbortedTransaction;

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(vec(any::<u8>(), 0..40))
}

fn record() -> impl Strategy<Value = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, usize)> {
    (1..5_i64, -9..1_000_000_i64, bytes(), bytes(), 0..3_usize)
}

/// A batch with gaps between its records and behind them.
fn batch() -> impl Strategy<Value = (Vec<Written>, i64, usize, bool)> {
    (vec(record(), 0..12), 0..4_i64, 0..COMPRESSIONS.len(), any::<bool>()).prop_map(
        |(records, gap, compression, aborted)| {
            let mut offset = -1;
            let mut written = Vec::new();
            for (step, timestamp, key, value, headers) in records {
                offset += step;
                let headers = (0..headers).map(|n| (vec![0; n], value.clone())).collect();
                written.push(Written { offset, timestamp, key, value, headers });
            }
            (written, offset.max(0) + gap, compression, aborted)
        },
    )
}

/// Batches one behind the other, and the records that are to be seen.
fn batches() -> impl Strategy<Value = (Vec<Batch>, Vec<Written>)> {
    vec(batch(), 1..5).prop_map(|parts| {
        let (mut base, mut all, mut seen) = (0, Vec::new(), Vec::new());
        for (mut records, last, compression, is_aborted) in parts {
            for record in &mut records {
                record.offset += base;
            }
            if !is_aborted {
                seen.extend(records.clone());
            }
            let last = base + last;
            let producer = if is_aborted { 1 } else { 2 };
            let batch = Batch { base, last, ..Batch::of(records) };
            all.push(batch.by(producer, COMPRESSIONS[compression] | TRANSACTIONAL));
            base = last + 1;
        }
        (all, seen)
    })
}

const ABORTED: [AbortedTransaction; 1] = [AbortedTransaction { producer_id: 1, first_offset: 0 }];

/// Makes the checksums right again, so that what lies behind them is tried.
fn sign(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(head) = bytes.get(at + 8..at + 12) {
        let length = u32::from_be_bytes(head.try_into().unwrap()) as usize;
        let end = (at + 12).saturating_add(length);
        if length < 49 || end > bytes.len() {
            return;
        }
        let checksum = crc32c::crc32c(&bytes[at + 21..end]);
        bytes[at + 17..at + 21].copy_from_slice(&checksum.to_be_bytes());
        at = end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_written_is_read((batches, seen) in batches(), room in 1..30_usize, from in 0..30_i64) {
        let walk = Answer::new(set(&batches), from, &ABORTED).with_headers(true);
        let (found, next, damage) = read(walk, room);
        let seen: Vec<_> = seen.into_iter().filter(|record| record.offset >= from).collect();
        prop_assert_eq!(damage, None);
        prop_assert_eq!(found, seen);
        prop_assert_eq!(next, (batches.last().unwrap().last + 1).max(from));
    }

    #[test]
    fn whatever_the_bytes_say_walking_ends_in_order(
        (batches, _) in batches(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        is_signed in prop::bool::weighted(0.8),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = set(&batches).to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] ^= byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if is_signed {
            sign(&mut bytes);
        }
        let length = bytes.len();
        let (found, next, damage) = read(Answer::new(bytes.into(), 0, &ABORTED).with_headers(true), 5);
        prop_assert!(found.windows(2).all(|pair| pair[0].offset < pair[1].offset));
        prop_assert!(found.last().is_none_or(|last| last.offset < next));
        prop_assert!(damage.is_none_or(|damage| damage.offset == next));
        prop_assert!(length > 0 || found.is_empty());
    }

    #[test]
    fn noise_is_never_records(bytes in vec(any::<u8>(), 0..300)) {
        let (found, next, _) = read(Answer::new(bytes.into(), 3, &[]).with_headers(true), 5);
        prop_assert_eq!((found.len(), next), (0, 3));
    }
}
