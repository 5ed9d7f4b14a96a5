//! Records that make the host panic: the lane's lives find them by themselves, and no other record pays for them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::source::{NextOffset, Position, Positions};

/// More lives than it takes to find any of these.
const LIVES_MAX: usize = 12;

fn logs(partitions: &[&[&str]]) -> Logs {
    let log = |(number, texts): (usize, &&[&str])| {
        let line = |(at, text): (usize, &&str)| {
            format!(r#"{{"key":"p{number}","text":"{text}","at":{at}}}"#)
        };
        let partition = Partition { stream: Arc::from("log"), number: number as i32 };
        (partition, texts.iter().enumerate().map(line).collect())
    };
    Arc::new(partitions.iter().enumerate().map(log).collect())
}

/// As the supervisor does it. How many lives it took.
fn lives(world: &World, logs: &Logs) -> usize {
    for life in 1..=LIVES_MAX {
        let (mut lane, _commands) = world.open(logs, 2, life as u64);
        match catch_unwind(AssertUnwindSafe(|| lane.run())) {
            Ok(end) => {
                assert_eq!(end.unwrap(), LaneEnd::Finished);
                return life;
            }
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().copied().unwrap_or("another panic");
                world.trial.panicked(text);
            }
        }
    }
    panic!("the input is not read to its end in {LIVES_MAX} lives");
}

/// Partition, offset and kind of each dead letter.
fn dead_letters(world: &World) -> Vec<String> {
    let letters = world.table("dead_letters");
    let mut rows: Vec<String> = letters
        .iter()
        .flat_map(as_values)
        .map(|row| ["partition", "offset", "kind"].map(|name| shown(&row[name])).join(" "))
        .collect();
    rows.sort();
    rows
}

fn shown(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn a_record_that_panics_the_host_is_found_and_dead_lettered_and_the_others_are_not() {
    let world = World::new(TUMBLING);
    let texts = ["a", "b", "c", "d", "panic", "e", "f", "g", "h", "i", "j", "k"];
    let poisoned = logs(&[&texts, &["l", "m", "n"]]);
    // One to be suspected, one to be sure with which records, one alone, and one that leaves it out.
    assert!(lives(&world, &poisoned) <= 4);
    assert_eq!(dead_letters(&world), ["0 4 host_panic"]);
    // The filter drops it.
    let others = texts.map(|text| if text == "panic" { "x" } else { text });
    let without = World::new(TUMBLING);
    assert_eq!(lives(&without, &logs(&[&others, &["l", "m", "n"]])), 1);
    assert_eq!(world.results(), without.results());
    let fates = total(world.chain().last().unwrap());
    assert_eq!((fates.read, fates.dead_lettered), (15, 1));
}

#[test]
fn several_such_records_are_found_one_after_the_other() {
    let world = World::new(TUMBLING);
    let poisoned = logs(&[&["a", "panic", "b", "c", "panic"], &["d", "e", "panic", "f"]]);
    lives(&world, &poisoned);
    let found = ["0 1 host_panic", "0 4 host_panic", "1 2 host_panic"];
    assert_eq!(dead_letters(&world), found);
}

#[test]
fn what_panics_only_in_company_passes_alone() {
    let world = World::new(TUMBLING);
    let crowd = ["crowd"; 9];
    lives(&world, &logs(&[&crowd]));
    assert!(dead_letters(&world).is_empty());
    assert_eq!(total(world.chain().last().unwrap()).accepted, 9);
}

#[test]
fn a_single_panic_condemns_nothing_and_a_panic_without_records_neither() {
    let world = World::new(TUMBLING);
    let block = |offset| {
        let logs = logs(&[&["a"; 9]]);
        let mut source = LogSource::new(&logs, 1, 7);
        let at = Position::at(NextOffset::at(offset));
        let partition = logs.keys().next().unwrap().clone();
        source.assign(&Positions::from([(partition, at)])).unwrap();
        loop {
            let blocks = source.poll(&one_record()).unwrap();
            if !blocks.is_empty() {
                break blocks;
            }
        }
    };
    let trial = &world.trial;
    assert_eq!(trial.panicked("a window fires"), None);
    trial.begin(&block(3));
    assert!(trial.panicked("first").is_some());
    assert_eq!(trial.verdict(&block(3)[0]), None);
    trial.begin(&block(5));
    assert!(trial.panicked("another record").is_some());
    assert_eq!(trial.verdict(&block(5)[0]), None);
    trial.begin(&block(5));
    assert!(trial.panicked("again").is_some());
    assert_eq!(trial.verdict(&block(5)[0]).as_deref(), Some("again"));
    trial.begin(&block(5));
    assert_eq!(trial.panicked("although it is left out"), None);
}

fn one_record() -> PollLimits {
    PollLimits { records: 1, bytes: 1 << 20, wait: Duration::ZERO, linger: Duration::ZERO }
}
