//! The sins, one arm each.

use std::hint::black_box;

use crate::bindings::exports::sluicegate::plugin::aggregate_rows::{EvaluateAnswer, UpdateAnswer};
use crate::bindings::exports::sluicegate::plugin::filter_rows::FilterAnswer;
use crate::bindings::exports::sluicegate::plugin::map_rows::MapAnswer;
use crate::bindings::sluicegate::plugin::columns::{Batch, Reject, Values, Varlen};
use crate::bindings::sluicegate::plugin::host::{self, Level};
use crate::honest;

/// More than any bound of the host.
const FLOOD: usize = 100_000;
/// Bytes of an answer that no call may give.
const HUGE: usize = 24 << 20;

pub(crate) fn at_init(sin: &str) -> Result<(), String> {
    match sin {
        "init-error" => Err("`sin` is `init-error`; leave it out\n\u{1b}[31m".to_owned()),
        "init-trap" => panic!("cannot start"),
        "init-spin" => spin(),
        _ => Ok(()),
    }
}

/// Sins committed before there is an answer, mostly at the sight of a guilty row.
pub(crate) fn at_rows(sin: &str, rows: &Batch) {
    let guilty = honest::integers(rows).iter().find(|i| **i < 0);
    match (sin, guilty) {
        ("trap", Some(i)) => panic!("no way to deal with {i}"),
        ("silent-trap", Some(_)) => std::process::abort(),
        ("spin", Some(_)) => spin(),
        ("recurse", Some(_)) => {
            black_box(recurse(1));
        }
        ("bomb", Some(_)) => bomb(),
        ("leak", _) => std::mem::forget(black_box(vec![1_u8; 8 << 20])),
        ("log-flood", _) => (0..FLOOD).for_each(|n| host::log(Level::Info, &format!("line\n{n}"))),
        ("count-flood", _) => (0..FLOOD).for_each(|n| host::count(&format!("counter_{n}"), 1)),
        ("count", _) => host::count("rows_seen", u64::from(rows.rows)),
        ("bad-counter", _) => host::count("Not A Name", 1),
        ("slow", _) => add(rows.rows.into()),
        _ => {}
    }
}

/// The same at the sight of a guilty accumulator.
pub(crate) fn at_states(sin: &str, states: &Varlen) {
    let values =
        states.offsets.windows(2).map(|pair| &states.bytes[pair[0] as usize..pair[1] as usize]);
    let groups = values.len() as u64;
    let guilty = values.into_iter().any(|state| honest::hash(state) < 0);
    match (sin, guilty) {
        ("trap-states", true) => panic!("no way to deal with such a state"),
        ("spin-states", true) => spin(),
        ("bomb-states", true) => bomb(),
        ("slow-states", _) => add(groups),
        _ => {}
    }
}

/// Ten million additions a row or group: slow, but not endless.
fn add(times: u64) {
    black_box((0..10_000_000 * times).fold(0_u64, |sum, n| sum ^ black_box(n)));
}

pub(crate) fn in_filter(sin: &str, mut answer: FilterAnswer) -> FilterAnswer {
    let reject = |row| Reject { row, reason: "because".to_owned() };
    match sin {
        "short-keep" => answer.keep.truncate(answer.keep.len() - 1),
        "stray-bits" => *answer.keep.last_mut().expect("rows") |= 0x80,
        "reject-twice" => answer.rejects = vec![reject(0), reject(0)],
        "reject-beyond" => answer.rejects = vec![reject(1_000_000)],
        "long-reason" => {
            answer.rejects = vec![Reject { row: 0, reason: "é".repeat(5_000) }];
        }
        _ => {}
    }
    answer
}

pub(crate) fn in_map(sin: &str, guilty: bool, mut answer: MapAnswer) -> MapAnswer {
    let columns = &mut answer.rows.columns;
    match sin {
        "missing-column" => drop(columns.pop()),
        "wrong-type" => columns[1].values = Values::Float64(Vec::new()),
        "short-column" => columns[1].values = Values::Int64(vec![1]),
        "required-null" => {
            columns[1].validity = Some(vec![0; answer.rows.rows.div_ceil(8) as usize])
        }
        "short-validity" => columns[0].validity = Some(Vec::new()),
        "stray-validity" => {
            columns[0].validity = Some(vec![0xff; answer.rows.rows.div_ceil(8) as usize]);
        }
        "digits" => columns[5].values = Values::Decimal(vec![i64::MIN; answer.rows.rows as usize]),
        "offsets-begin" => text(columns).offsets[0] = 1,
        "offsets-descend" => text(columns).offsets[1] = u32::MAX,
        "offsets-end" => text(columns).bytes.push(b'!'),
        "few-offsets" => drop(text(columns).offsets.pop()),
        "bad-utf8" => *text(columns).bytes.last_mut().expect("text") = 0xff,
        "huge" if guilty => text(columns).bytes = vec![b'x'; HUGE],
        "source-beyond" => *answer.source_rows.last_mut().expect("rows") = 1_000_000,
        "source-descends" => answer.source_rows.reverse(),
        "few-sources" => drop(answer.source_rows.pop()),
        "reject-with-rows" => {
            answer.rejects = vec![Reject { row: answer.source_rows[0], reason: "both".to_owned() }];
        }
        _ => {}
    }
    answer
}

fn text(columns: &mut [crate::bindings::sluicegate::plugin::columns::Column]) -> &mut Varlen {
    match &mut columns[6].values {
        Values::Utf8(text) => text,
        other => panic!("column `s` came as {other:?}"),
    }
}

pub(crate) fn in_update(sin: &str, mut answer: UpdateAnswer) -> UpdateAnswer {
    match sin {
        "few-states" => drop(answer.states.offsets.pop()),
        "states-end" => answer.states.bytes.clear(),
        _ => {}
    }
    answer
}

pub(crate) fn in_evaluate(sin: &str, mut answer: EvaluateAnswer) -> EvaluateAnswer {
    match sin {
        "groups-beyond" => *answer.groups.last_mut().expect("groups") = 1_000_000,
        "groups-descend" => answer.groups.reverse(),
        _ => {}
    }
    answer
}

#[expect(clippy::empty_loop, reason = "that is the sin")]
fn spin() -> ! {
    loop {}
}

#[expect(unconditional_recursion, reason = "that is the sin")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth) + 1)) + depth
}

fn bomb() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}
