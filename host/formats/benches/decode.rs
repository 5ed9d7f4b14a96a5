//! What it costs to decode records into columns, by kind of record, against arrow-json over the same bytes and columns.
//!
//! Figures of a shared machine mean little by themselves: both are measured in turns in one run, by the CPU time of the
//! thread, and the ratio of their medians is what can be compared.
#![expect(clippy::unwrap_used, reason = "a benchmark that fails shows the line")]

use std::hint::black_box;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema as ArrowSchema, SchemaRef, TimeUnit};
use arrow::json::ReaderBuilder;
use sluicegate_formats::json::decode::Decoder;
use sluicegate_model::schema::{Column, ColumnType, Origin, Schema, TextForm, TimestampEncoding};
use sluicegate_model::time::thread_cpu_nanos;
use sluicegate_model::varlen::Varlen;

const RECORDS: u64 = 65_536;
/// As many as a lane hands to a decoder at once.
const CHUNK: usize = 8_192;
const ROUNDS: usize = 15;

/// Records of one kind, and the columns that are read of them.
struct Kind {
    name: &'static str,
    columns: Vec<Column>,
    record: fn(u64) -> String,
}

fn column(path: &[&str], kind: ColumnType) -> Column {
    let origin = Origin::Value(path.iter().map(|&key| key.to_owned()).collect());
    let name = path.concat();
    Column { name, kind, nullable: false, origin, form: TextForm::default() }
}

fn of_sales() -> Vec<Column> {
    vec![
        column(&["store"], ColumnType::String),
        column(&["price"], ColumnType::Decimal { precision: 18, scale: 2 }),
        column(&["ts"], ColumnType::Timestamp(TimestampEncoding::UnixSeconds)),
    ]
}

/// Store, item, cents and time of a sale.
fn sale(number: u64) -> (u64, u64, u64, u64) {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    (mixed % 200, mixed / 200 % 1_000, mixed % 99_999, 1_756_809_000 + number / 1_000)
}

/// Small records.
fn small() -> Vec<Kind> {
    vec![
        Kind {
            name: "sales",
            columns: of_sales(),
            record: |number| {
                let (store, item, cents, ts) = sale(number);
                let price = cents as f64 / 100.0;
                format!(
                    r#"{{"store":"store-{store}","item":"item-{item}","price":{price},"ts":{ts}}}"#
                )
            },
        },
        Kind {
            name: "spaced",
            columns: of_sales(),
            record: |number| {
                let (store, item, cents, ts) = sale(number);
                format!(
                    r#"{{"store": "store-{store}", "item": "item-{item}", "price": {cents}, "ts": {ts}}}"#
                )
            },
        },
        Kind {
            name: "shuffled",
            columns: of_sales(),
            record: |number| {
                let (store, item, cents, ts) = sale(number);
                let mut entries = [
                    format!(r#""store":"store-{store}""#),
                    format!(r#""item":"item-{item}""#),
                    format!(r#""price":{cents}"#),
                    format!(r#""ts":{ts}"#),
                ];
                entries.rotate_left(store as usize % 4);
                entries.swap(1, 1 + item as usize % 3);
                format!("{{{}}}", entries.join(","))
            },
        },
        Kind {
            name: "escaped",
            columns: of_sales(),
            record: |number| {
                let (store, item, cents, ts) = sale(number);
                format!(
                    r#"{{"store":"store-{store}","item":"a \"{item}\"","price":{cents},"ts":{ts}}}"#
                )
            },
        },
    ]
}

/// Records of which most is not read.
fn large() -> Vec<Kind> {
    let bid = || {
        vec![
            column(&["bid", "auction"], ColumnType::Int64),
            column(&["bid", "price"], ColumnType::Int64),
            column(&["bid", "dateTime"], ColumnType::Timestamp(TimestampEncoding::UnixMillis)),
        ]
    };
    vec![
        Kind {
            name: "bids",
            columns: bid(),
            record: |number| {
                let (auction, bidder, price, ts) = sale(number);
                format!(
                    r#"{{"event_type":2,"person":null,"auction":null,"bid":{{"auction":{auction},"bidder":{bidder},"price":{price},"channel":"Google","url":"https://www.nexmark.com/item.htm?query=1","dateTime":{ts}000,"extra":"abcdefghijklmnopqrstuvwxyz"}}}}"#
                )
            },
        },
        Kind {
            name: "nested, 300",
            columns: of_sales(),
            record: |number| {
                let (store, item, cents, ts) = sale(number);
                format!(
                    r#"{{"id":"8f14e45f-ceea-467a-9575-{number:012}","store":"store-{store}","customer":{{"name":"Ada Lovelace","address":{{"city":"London","zip":"NW1 6XE"}},"tags":["new","vip"]}},"items":[{{"sku":"item-{item}","n":1}},{{"sku":"item-7","n":22}}],"note":"say \"hello\" to her","price":{cents},"ts":{ts}}}"#
                )
            },
        },
        Kind {
            name: "wide, 1000",
            columns: of_sales(),
            record: |number| {
                let (store, item, cents, ts) = sale(number);
                let text = "the quick brown fox jumps over the lazy dog, ".repeat(10);
                let numbers = "17,-3.5,204,".repeat(36);
                format!(
                    r#"{{"store":"store-{store}","text":"{text}","price":{cents},"ts":{ts},"all":[{numbers}{item}]}}"#
                )
            },
        },
    ]
}

/// The types that arrow-json reads these columns as, nested as they stand in a record.
fn reference_schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column, name: &str| {
        let data_type = match column.kind {
            ColumnType::Timestamp(TimestampEncoding::UnixSeconds) => {
                DataType::Timestamp(TimeUnit::Second, Some("+00:00".into()))
            }
            ColumnType::Timestamp(_) => {
                DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()))
            }
            kind => kind.data_type(),
        };
        arrow::datatypes::Field::new(name, data_type, false)
    };
    let at = |depth: usize| move |column: &&Column| column.path().unwrap().len() == depth;
    let mut fields: Vec<_> = columns
        .iter()
        .filter(at(1))
        .map(|column| field(column, &column.path().unwrap()[0]))
        .collect();
    let inner: Vec<_> = columns
        .iter()
        .filter(at(2))
        .map(|column| (column, column.path().unwrap()))
        .map(|(column, path)| field(column, &path[1]))
        .collect();
    if let Some(column) = columns.iter().find(at(2)) {
        let name = &column.path().unwrap()[0];
        fields.push(arrow::datatypes::Field::new(name, DataType::Struct(inner.into()), false));
    }
    Arc::new(ArrowSchema::new(fields))
}

fn median(mut nanos: Vec<f64>) -> f64 {
    nanos.sort_by(f64::total_cmp);
    nanos[nanos.len() / 2]
}

fn timed(work: impl FnOnce()) -> f64 {
    let started = thread_cpu_nanos();
    work();
    (thread_cpu_nanos() - started) as f64 / RECORDS as f64
}

fn main() {
    let only: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    for Kind { name, columns, record } in small().into_iter().chain(large()) {
        if !only.is_empty() && !only.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let records: Vec<String> = (0..RECORDS).map(|number| record(number) + "\n").collect();
        let values: Varlen = records.iter().map(|record| record.as_bytes()).collect();
        let schema = Schema { columns };
        let wanted: Vec<usize> = (0..schema.columns.len()).collect();
        let mut decoder = Decoder::new(&schema, &wanted);
        let reference = reference_schema(&schema.columns);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(timed(|| {
                for start in (0..values.len()).step_by(CHUNK) {
                    let decoded = decoder.decode(&values, start..start + CHUNK);
                    assert_eq!(black_box(decoded).batch.num_rows(), CHUNK);
                }
            }));
            theirs.push(timed(|| {
                let builder = ReaderBuilder::new(SchemaRef::clone(&reference));
                let mut decoder = builder.with_batch_size(CHUNK).build_decoder().unwrap();
                let mut rest = values.bytes.as_slice();
                while !rest.is_empty() {
                    rest = &rest[decoder.decode(rest).unwrap()..];
                    black_box(decoder.flush().unwrap());
                }
            }));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        let bytes = values.bytes.len() as f64 / RECORDS as f64;
        println!(
            "{name:>12}: {ours:6.1} ns/record of {bytes:.0} bytes, {:.2} × arrow-json ({theirs:.1})",
            ours / theirs
        );
    }
}
