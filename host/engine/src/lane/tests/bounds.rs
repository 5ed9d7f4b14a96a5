//! What the host makes of a guest's answer is bounded: a turn that would make more is taken again with less.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;

use super::*;
use sluicegate_connect::source::files::FilesSource;
use sluicegate_pipeline::SourceConfig;
use sluicegate_runtime::Bell;
use sluicegate_store::StoreOptions;

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

/// Two files, all records of both in one poll. The first is read to its end long before the second.
fn two_files() -> (World, Lane, mpsc::Sender<Command>) {
    let world = World::of(&[HEAD, RAW].concat(), None);
    let line = |at: usize, text: &str| {
        let key = format!("{at:02000}");
        format!(r#"{{"key":"{key}","text":"{text}","at":{at}}}"#)
    };
    let file = |name: &str| Partition { stream: Arc::from(name), number: 0 };
    let small = (0..3).map(|at| line(at, "times1")).collect();
    // One of them fills a turn.
    let large = (0..6).map(|at| line(at, "times400")).collect();
    let logs: Logs = Arc::new(BTreeMap::from([(file("a"), small), (file("b"), large)]));
    let source = LogSource::new(&logs, 1 << 40, 1).with_bytes();
    let (lane, commands) = world.open_at(Box::new(source), 2, &Clock::system());
    (world, lane, commands)
}

/// What is left of the turn names partitions by their places, and a file that leaves the record would move the others
/// up.
#[test]
fn a_barrier_between_two_parts_of_a_turn_keeps_partitions_where_they_are() {
    let (world, mut lane, _commands) = two_files();
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    let chain = world.chain();
    let is_between = |record: &&ChainRecord| {
        let at: Vec<_> = record.source.partitions.iter().map(|it| &it.position).collect();
        matches!(at[..], [a, b] if a.ended && !b.ended && b.next_offset.get() > 0)
    };
    assert!(chain.iter().filter(is_between).count() > 0, "no barrier fell between two parts");
    let last = chain.last().unwrap();
    assert!(last.source.finished.is_some(), "files that are finished leave the record in the end");
    assert_eq!((total(last).read, world.count("rows")), (9, 3 + 6 * 400));
}

#[test]
fn the_position_at_which_a_file_is_cut_says_nothing_of_bytes_behind_it() {
    let (world, mut lane, _commands) = two_files();
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    let chain = world.chain();
    let states = chain.iter().flat_map(|record| &record.source.partitions);
    let cut: BTreeMap<i64, Option<i32>> = states
        .filter(|state| &*state.partition.stream == "b" && !state.position.ended)
        .map(|state| (state.position.next_offset.get(), state.position.leader_epoch))
        .filter(|(at, _)| *at > 0)
        .collect();
    // The hash is that of the first 1,024 bytes, as far as they were read.
    assert_eq!(cut.get(&1_000), Some(&None), "{cut:?}");
    assert!(cut.iter().any(|(at, head)| *at > 1_024 && *head == Some(7)), "{cut:?}");
}

/// Each file holds the watermark from the start, only some are read at a time, and all of them are ahead of those that
/// wait.
#[test]
fn files_that_all_hold_the_watermark_are_read_to_their_end_with_a_bound_of_how_far_one_may_be_ahead()
 {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..12 {
        let line = |at: i64| format!("{{\"key\":\"k{file}\",\"text\":\"{at}\",\"at\":{at}}}\n");
        let lines: String = (0..40).map(|n| line(n * 10 + file)).collect();
        std::fs::write(folder.path().join(format!("{file:02}.ndjson")), lines).unwrap();
    }
    let place = format!("path = \"{}\"\norder = \"unordered\"", folder.path().display());
    let text = [HEAD, STAGES].concat().replace("WINDOW", &TUMBLING.toml()).replace("UPDATES", "");
    let world =
        World::of(&text.replace("path = \"unused\"", &place), Some(Duration::from_micros(20)));
    let SourceConfig::Files(files) = &world.config.source else { panic!() };
    let source = |clock: &Clock| {
        let (runtime, stores) = (world.runtime.handle().clone(), StoreOptions::default());
        FilesSource::open(files, &stores, runtime, clock.clone(), Bell::default()).unwrap()
    };
    let clock = Clock::system();
    let (mut lane, _commands) = world.open_at(Box::new(source(&clock)), 2, &clock);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    let fates = total(world.chain().last().unwrap());
    assert_eq!((fates.read, fates.accepted), (480, 480), "none is late");
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
