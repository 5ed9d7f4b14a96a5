//! What the host makes of a guest's answer is bounded: a turn that would make more is taken again with less.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use super::*;

const RAW: &str = r#"
[[stages]]
id = "repeat"
kind = "map"
plugin = "repeat"
[[sinks]]
id = "rows"
type = "parquet"
path = "unused-rows"
[limits]
turn_bytes = "64KiB"
call_rows = 8
[checkpoint]
path = "unused-chain"
"#;

/// Each record has a key of 2 KB, which every row of it inherits. A turn may make 1 MiB.
fn logs(texts: impl IntoIterator<Item = String>) -> Logs {
    let line = |(at, text): (usize, String)| {
        let key = format!("{at:02000}");
        format!(r#"{{"key":"{key}","text":"{text}","at":{at}}}"#)
    };
    let partition = Partition { stream: Arc::from("log"), number: 0 };
    Arc::new(BTreeMap::from([(partition, texts.into_iter().enumerate().map(line).collect())]))
}

fn numbers(world: &World, table: &str, column: &str) -> Vec<Option<i64>> {
    let numbers = |batch: &RecordBatch| -> Vec<Option<i64>> {
        batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().collect()
    };
    world.table(table).iter().flat_map(numbers).collect()
}

#[test]
fn a_turn_that_would_make_too_much_is_taken_again_with_less() {
    let mut config = World::of(&[HEAD, RAW].concat(), None).config;
    // All records in one turn, in chunks of eight.
    Arc::get_mut(&mut config).unwrap().limits.call_rows = 8;
    for workers in [1, 3] {
        let world = World::of_config(Pipeline::clone(&config));
        // 200 KB of each but one, 2 MB of that.
        let text = |n: usize| if n == 17 { "times1000" } else { "times100" }.to_owned();
        let source = Box::new(LogSource::new(&logs((0..40).map(text)), 40, 1));
        let (mut lane, _commands) = world.open_at(source, workers, &Clock::system());
        let mut turns = 0;
        while lane.intake.partitions.total().read < 40 {
            let before = lane.intake.partitions.total().read;
            lane.step().unwrap();
            // 1 MiB are five of them.
            assert!(lane.intake.partitions.total().read - before <= 5);
            turns += 1;
        }
        assert!((9..60).contains(&turns), "{turns} turns");
        assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
        assert_eq!(world.count("rows"), 39 * 100, "nothing but the one is refused");
        assert_eq!(numbers(&world, "dead_letters", "offset"), [Some(17)]);
        let dead = world.table("dead_letters").remove(0);
        let text =
            |name: &str| dead.column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
        assert_eq!(text("kind"), "too_large");
        assert!(text("reason").contains("a turn may hold 1048576"), "{}", text("reason"));
        let total = total(world.chain().last().unwrap());
        assert_eq!((total.read, total.accepted, total.dead_lettered), (40, 39, 1));
    }
}

/// What is committed in the middle of a poll is where the next life goes on.
#[test]
fn a_life_that_ends_between_two_parts_of_a_turn_loses_and_doubles_nothing() {
    let world = World::of(&[HEAD, RAW].concat(), None);
    let logs = logs((0..40).map(|_| "times100".to_owned()));
    for _ in 0..4 {
        let source = Box::new(LogSource::new(&logs, 40, 1));
        let (mut lane, _commands) = world.open_at(source, 2, &Clock::system());
        (0..6).for_each(|_| _ = lane.step().unwrap());
    }
    let (mut lane, _commands) = world.open(&logs, 2, 1);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert_eq!(world.count("rows"), 40 * 100);
    assert_eq!(total(world.chain().last().unwrap()).read, 40);
}

#[test]
fn a_record_has_one_dead_letter_a_stage_with_the_number_of_its_refused_rows() {
    let world = World::new(TUMBLING);
    let text = |n: usize| if n == 3 { "times50reject" } else { "times2" }.to_owned();
    let (mut lane, _commands) = world.open(&logs((0..6).map(text)), 3, 1);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert_eq!(numbers(&world, "dead_letters", "offset"), [Some(3)]);
    assert_eq!(numbers(&world, "dead_letters", "rows"), [Some(50)]);
}
