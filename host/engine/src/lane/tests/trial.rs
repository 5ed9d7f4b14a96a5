//! Records that make the host panic: the lane's lives find them by themselves, and no other record pays for them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::lane::rows::Chunk;
use sluicegate_model::position::{NextOffset, Position, Positions};

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
    lives_with(world, |life| world.open(logs, 2, life as u64).0)
}

fn lives_with(world: &World, open: impl Fn(usize) -> Lane) -> usize {
    for life in 1..=LIVES_MAX {
        let mut lane = open(life);
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

/// Nothing is evaluated before its window fires.
fn without_updates(kind: Kind) -> World {
    let text = [HEAD, STAGES].concat().replace("WINDOW", &kind.toml()).replace("UPDATES", "");
    let text = match kind {
        // Nothing is late.
        Kind::Global { .. } => text.replace("[late]\npath = \"unused-late\"\n", ""),
        _ => text,
    };
    World::of(&text, None)
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
    let begin = |offset| {
        let chunk = Chunk { block: 0, partition: 0, records: 0..1 };
        trial.begin(&block(offset), std::iter::once(&chunk));
    };
    let verdict = |offset| trial.verdict(&block(offset)[0], &(0..1));
    trial.begin_other("while an epoch was frozen");
    let follows = trial.panicked("a commit is made");
    assert!(
        follows.starts_with("it happened while an epoch was frozen, so there is no"),
        "{follows}"
    );
    assert!(!trial.narrows());
    begin(3);
    assert!(trial.panicked("first").starts_with("if that happens again"));
    assert_eq!(verdict(3), None);
    assert!(!trial.narrows(), "another instance would know as much");
    begin(5);
    assert!(trial.panicked("another record").starts_with("if that happens again"));
    assert_eq!(verdict(5), None);
    begin(5);
    assert_eq!(trial.panicked("again"), "the record at offset 5 of log/0 is dead-lettered");
    assert_eq!(verdict(5).as_deref(), Some("again"));
    assert!(trial.narrows());
    begin(5);
    assert!(trial.panicked("although it is left out").contains("does not help"));
    assert!(!trial.narrows());
}

/// Offsets of files count bytes: a suspect is a thousand of them behind where the lane stands, and one record.
#[test]
fn a_record_of_a_file_is_found_like_one_of_a_topic() {
    let world = World::new(TUMBLING);
    let texts = ["a", "b", "c", "d", "panic", "e", "f", "g", "h", "i", "j", "k"];
    let logs = logs(&[&texts, &["l", "m", "n"]]);
    let open = |life| {
        let source = LogSource::new(&logs, 100, life as u64).with_bytes();
        world.open_at(Box::new(source), 2, &Clock::system()).0
    };
    assert!(lives_with(&world, open) <= 4);
    assert_eq!(dead_letters(&world), ["0 4000 host_panic"]);
    assert_eq!(total(world.chain().last().unwrap()).accepted, 14);
}

#[test]
fn a_group_that_panics_the_host_is_found_and_dead_lettered_and_the_others_are_not() {
    for kind in [TUMBLING, Kind::Session { gap: 3, max_length: 9 }, Kind::Global { trigger: 10 }] {
        let world = without_updates(kind);
        let line = |n: usize| {
            let text = if n == 23 { "fatal".to_owned() } else { n.to_string() };
            format!(r#"{{"key":"k{n}","text":"{text}","at":1}}"#)
        };
        let partition = Partition { stream: Arc::from("log"), number: 0 };
        let logs: Logs = Arc::new(BTreeMap::from([(partition, (0..40).map(line).collect())]));
        let open = |life| {
            let mut lane = world.open(&logs, 2, life as u64).0;
            lane.logic.set_step(Some(8));
            lane
        };
        // One to be suspected with others, one alone, and one that leaves it out.
        assert!(lives_with(&world, open) <= 3, "{kind:?}");
        let letters: Vec<serde_json::Value> =
            world.table("dead_letters").iter().flat_map(as_values).collect();
        let [letter] = letters.as_slice() else { panic!("{kind:?}: {letters:?}") };
        assert_eq!(letter["kind"], "host_panic");
        let reason = letter["reason"].as_str().unwrap();
        assert!(reason.contains("a state with `fatal`"), "{reason}");
        assert_eq!(world.results().len(), 39, "{kind:?}");
    }
}

/// Windows that are merged as a whole have no group to try: the status says what happened, and what can be done.
#[test]
fn a_panic_while_sliding_windows_fire_is_told_with_what_can_be_done() {
    let world = without_updates(Kind::Sliding { size: 10, slide: 5 });
    let logs = logs(&[&["a", "fatal", "b"]]);
    let (mut lane, _commands) = world.open(&logs, 2, 1);
    catch_unwind(AssertUnwindSafe(|| lane.run())).unwrap_err();
    let follows = world.trial.panicked("a state with `fatal`");
    assert!(follows.starts_with("it happened while windows fired or closed"), "{follows}");
    assert!(follows.contains("activate another module"), "{follows}");
}

fn one_record() -> PollLimits {
    PollLimits {
        records: 1,
        bytes: 1 << 20,
        wait: Duration::ZERO,
        linger: Duration::ZERO,
        unseen_until: Duration::ZERO,
    }
}
