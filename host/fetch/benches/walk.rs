//! What it costs to walk record batches into columns, by compression, against copying the same records without a walk.
//!
//! Figures of a shared machine mean little by themselves: both are measured in turns in one run, and the ratio of their
//! medians is what can be compared.
#![expect(clippy::unwrap_used, reason = "a benchmark that fails shows the line")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

#[path = "../src/batch/tests/writer.rs"]
#[expect(dead_code, reason = "tests write more kinds of batches")]
mod writer;

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Instant;

use bytes::Bytes;
use sluicegate_fetch::batch::{Opener, Unpacker, Walk};
use writer::{Batch, Written};

/// As the demo's producer sends them: 16 KiB of records in a batch.
const RECORDS: i64 = 240;
const BATCHES: i64 = 200;
const ROUNDS: usize = 15;

const COMPRESSIONS: [(&str, i16); 5] =
    [("none", 0), ("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)];

/// What a source makes of records.
#[derive(Default)]
struct Columns {
    values: Vec<u8>,
    ends: Vec<u32>,
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
}

impl Columns {
    #[inline]
    fn push(&mut self, offset: i64, timestamp: i64, value: &[u8]) {
        self.values.extend_from_slice(value);
        self.ends.push(u32::try_from(self.values.len()).unwrap());
        self.offsets.push(offset);
        self.timestamps.push(timestamp);
    }

    fn fill(&mut self, set: &Bytes, unpacker: &mut Unpacker) {
        let mut opener = Opener::new(set.clone(), 0, &[]);
        while !opener.is_over() {
            let stand = Walk::new(opener.open(unpacker), 0).walk(|record| {
                self.push(record.offset, record.timestamp, record.value.unwrap_or_default());
                ControlFlow::Continue(())
            });
            stand.unwrap();
        }
    }

    fn clear(&mut self) {
        self.values.clear();
        self.ends.clear();
        self.offsets.clear();
        self.timestamps.clear();
    }
}

fn record(offset: i64) -> Written {
    let mixed = offset.wrapping_mul(6_364_136_223_846_793_005) >> 33;
    let (store, cents) = (mixed.rem_euclid(200), mixed.rem_euclid(99_999));
    let value = format!(
        "{{\"store\":\"store-{store:03}\",\"price\":{cents:05},\"ts\":{}}}",
        1_700_000_000 + offset / 20
    );
    Written::new(offset, value.as_bytes())
}

fn median(mut nanos: Vec<f64>) -> f64 {
    nanos.sort_by(f64::total_cmp);
    nanos[nanos.len() / 2]
}

fn main() {
    let records: Vec<_> = (0..RECORDS * BATCHES).map(record).collect();
    let count = records.len() as f64;
    let bytes: usize = records.iter().map(|one| one.value.as_ref().unwrap().len()).sum();
    println!("{count} records of {:.0} bytes in {BATCHES} batches", bytes as f64 / count);
    let timed = |work: &mut dyn FnMut()| {
        let started = Instant::now();
        work();
        started.elapsed().as_nanos() as f64 / count
    };
    let (mut columns, mut unpacker) = (Columns::default(), Unpacker::new(1 << 20));
    for (name, compression) in COMPRESSIONS {
        let batches = records.chunks(usize::try_from(RECORDS).unwrap());
        let set: Bytes =
            batches.flat_map(|part| Batch::of(part.to_vec()).by(-1, compression).bytes()).collect();
        let (mut copied, mut walked) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            copied.push(timed(&mut || {
                columns.clear();
                for record in &records {
                    columns.push(record.offset, record.timestamp, record.value.as_ref().unwrap());
                }
                black_box(&columns);
            }));
            walked.push(timed(&mut || {
                columns.clear();
                columns.fill(&set, &mut unpacker);
                assert_eq!(columns.offsets.len(), records.len());
            }));
        }
        let (copied, walked) = (median(copied), median(walked));
        println!(
            "{name:>6}: {walked:5.1} ns/record, {:.2} × copying ({copied:.1})",
            walked / copied
        );
    }
}
