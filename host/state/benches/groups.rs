//! What it costs to find the groups of rows by the codes of their keys, against the hash of each row's key.
//!
//! Figures of a shared machine mean little by themselves: both are measured in turns in one run, by the CPU time of the
//! thread, and the ratio of their medians is what can be compared.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use sluicegate_model::time::{EventTime, thread_cpu_nanos};
use sluicegate_model::varlen::Varlen;
use sluicegate_model::window::WindowBounds;
use sluicegate_state::window::{
    KeyedState, Place, RowKeys, RowSelection, TableHash, Touched, key, key_shard,
};

const ROWS: u32 = 8_192;
const CHUNKS: u64 = 16;
const ROUNDS: usize = 15;

/// Key columns of one kind.
struct Kind {
    name: &'static str,
    columns: fn(chunk: u64) -> Vec<ArrayRef>,
}

const KINDS: [Kind; 6] = [
    Kind { name: "1 text", columns: |chunk| vec![texts(chunk, |_| "berlin".to_owned())] },
    Kind {
        name: "200 texts",
        columns: |chunk| vec![texts(chunk, |it| format!("store-{}", it % 200))],
    },
    Kind {
        name: "200 uuids",
        columns: |chunk| {
            let uuid = |it| format!("8f14e45f-ceea-467a-9575-{:012}", it % 200);
            vec![texts(chunk, uuid)]
        },
    },
    Kind { name: "1,000 numbers", columns: |chunk| vec![numbers(chunk, 1_000)] },
    Kind {
        name: "40 texts × 5 numbers",
        columns: |chunk| {
            vec![texts(chunk, |it| format!("store-{}", it / 7 % 40)), numbers(chunk, 5)]
        },
    },
    Kind {
        name: "1,000,000 texts",
        columns: |chunk| vec![texts(chunk, |it| format!("card-{}", it % 1_000_000))],
    },
];

/// A number for each row, in no order.
fn mixed(chunk: u64) -> impl Iterator<Item = u64> {
    let first = chunk * u64::from(ROWS);
    (first..first + u64::from(ROWS)).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20)
}

fn texts(chunk: u64, text: impl Fn(u64) -> String) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(mixed(chunk).map(text)))
}

fn numbers(chunk: u64, values: u64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(mixed(chunk).map(|it| (it % values).cast_signed())))
}

fn by_code(columns: &[ArrayRef], rows: &[u32], state: &mut KeyedState, touched: &mut Touched) {
    let keys = RowKeys::new(columns, rows);
    state.begin(touched);
    state.touch_run(PLACE, &keys, 0..rows.len(), touched);
}

/// As rows find their groups whose keys have no codes.
fn by_hash(columns: &[ArrayRef], rows: &[u32], state: &mut KeyedState, touched: &mut Touched) {
    let mut keys = Varlen::with_capacity(rows.len(), rows.len() * 16);
    key::encode(columns, RowSelection::Picked(rows), &mut keys);
    let hashes: Vec<TableHash> = keys.iter().map(TableHash::of).collect();
    let shards: Vec<u8> = keys.iter().map(key_shard).collect();
    black_box(shards);
    state.begin(touched);
    for (key, hash) in keys.iter().zip(hashes) {
        state.touch(PLACE, hash, key, touched);
    }
}

const PLACE: Place =
    Place { bounds: WindowBounds { start: EventTime(0), end: EventTime(30_000_000) }, skipped: 0 };

fn median(mut nanos: Vec<f64>) -> f64 {
    nanos.sort_by(f64::total_cmp);
    nanos[nanos.len() / 2]
}

fn timed(work: impl FnOnce()) -> f64 {
    let started = thread_cpu_nanos();
    work();
    (thread_cpu_nanos() - started) as f64 / (CHUNKS * u64::from(ROWS)) as f64
}

fn main() {
    let rows: Vec<u32> = (0..ROWS).collect();
    for Kind { name, columns } in KINDS {
        let chunks: Vec<Vec<ArrayRef>> = (0..CHUNKS).map(columns).collect();
        let (mut coded, mut hashed) = (Vec::new(), Vec::new());
        let (mut one, mut other) = (KeyedState::default(), KeyedState::default());
        let mut touched = Touched::default();
        for _ in 0..ROUNDS {
            coded.push(timed(|| {
                chunks.iter().for_each(|it| by_code(it, &rows, &mut one, &mut touched));
            }));
            hashed.push(timed(|| {
                chunks.iter().for_each(|it| by_hash(it, &rows, &mut other, &mut touched));
            }));
        }
        assert_eq!(one.windows()[0].groups.len(), other.windows()[0].groups.len());
        let (coded, hashed) = (median(coded), median(hashed));
        println!("{name:>20}: {coded:5.1} ns/row, {:.2} × by hash ({hashed:.1})", coded / hashed);
    }
}
