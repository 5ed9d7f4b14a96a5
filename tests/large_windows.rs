//! A window with so many groups that it fires for longer than anybody should have to wait.

use std::fmt::Write;

use crate::harness::chain;
use crate::harness::eventually;
use crate::harness::host::{Host, run_to_end};
use crate::harness::oracle::time;
use crate::harness::pipeline::Pipeline;
use crate::harness::place::Place;
use crate::harness::table::{assert_same_rows, rows};
use crate::kafka_to_parquet::RESULTS;

/// Groups of the window: some seconds of work for a program that was not optimized.
const STORES: usize = 300_000;
/// A window begins there.
const BEGIN: i64 = 1_700_000_010;

/// The state of the moment says where the firing stands: the next life goes on from there, with other workers.
#[test]
fn a_stop_is_heard_while_a_large_window_fires_and_the_rest_fires_in_the_next_life() {
    let place = Place::local();
    let (mut lines, mut expected) = (String::new(), Vec::new());
    for store in 0..STORES {
        writeln!(lines, "{{\"store\":\"store-{store}\",\"price\":\"1.00\",\"ts\":{BEGIN}}}")
            .unwrap();
        let (start, end) = (time(BEGIN), time(BEGIN + 30));
        expected.push(format!("store-{store} | 1.00 | 1 | {start} | {end}"));
    }
    let input = place.folder.path().join("sales.ndjson");
    std::fs::write(&input, lines).unwrap();
    let path = input.display();
    let source = format!("[source]\ntype = \"files\"\n[source.files]\npath = \"{path}\"\n");
    let of = |workers: usize| Pipeline {
        more: format!("[limits]\nworkers = {workers}\n"),
        ..Pipeline::sales(source.clone())
    };
    let written =
        || chain::records(&place).iter().map(|record| record.rows("revenue")).sum::<u64>();

    let host = Host::run(&place, &of(2).write(&place));
    eventually("some groups have fired", || (written() > 0).then_some(()));
    host.stop();
    let (stopped, head) = (written(), chain::head(&place).unwrap());
    assert!(stopped < STORES as u64 && !head.ended(), "{stopped} rows: it was over already");
    assert_eq!(head.groups(), STORES as u64);

    run_to_end(&place, &of(1).write(&place));
    assert!(chain::head(&place).unwrap().ended());
    expected.sort();
    assert_same_rows("revenue", &rows(&place, "revenue", &RESULTS), &expected);
}
