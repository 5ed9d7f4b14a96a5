//! Two chains that would write one Delta table: the second is refused before it has a record, also where the table has no
//! file yet.

use std::thread;

use futures::TryStreamExt;

use super::published::{TABLE, open_in};
use super::*;
use sluicegate_chain::{ChainError, DataFiles, forget};
use sluicegate_delta::claim::release;
use sluicegate_delta::contents::{contents, rows_of};

fn world() -> World {
    World::of(&[HEAD, TABLE].concat(), None)
}

/// The same tables, and the chain in another place.
fn elsewhere(world: &World) -> LaneStorage {
    LaneStorage { chain: world.location("elsewhere"), ..world.storage() }
}

fn objects(world: &World) -> Vec<Path> {
    let listed = world.store.list(None).map_ok(|meta| meta.location).try_collect();
    world.runtime.block_on(listed).unwrap()
}

/// Below a place.
fn below(world: &World, place: &str) -> Vec<Path> {
    objects(world).into_iter().filter(|path| path.as_ref().starts_with(place)).collect()
}

fn refused(world: &World, storage: LaneStorage) -> String {
    let error = open_in(world, storage, 3).err().unwrap();
    assert!(!error.may_pass(), "{error}");
    error.to_string()
}

#[test]
fn a_second_chain_for_a_table_is_refused_before_the_first_has_written_a_row() {
    let world = world();
    let (mut first, _commands) = open_in(&world, world.storage(), 3).unwrap();
    let tables = below(&world, "tables/");
    let said = refused(&world, elsewhere(&world));
    assert!(said.contains("is written by another chain of `texts/rows`"), "{said}");
    assert!(said.contains("was in memory:///chain when it took the table"), "{said}");
    assert!(below(&world, "elsewhere/texts/lanes").is_empty(), "it has no record");
    assert_eq!(below(&world, "tables/"), tables);
    assert_eq!(first.run().unwrap(), LaneEnd::Finished);
    assert_eq!(world.count("rows"), 3);
}

#[test]
fn a_second_pipeline_for_a_table_is_refused_before_the_first_has_written_a_row() {
    let world = world();
    let _first = open_in(&world, world.storage(), 3).unwrap();
    let other = LaneStorage { job: "others".to_owned(), ..elsewhere(&world) };
    let said = refused(&world, other);
    assert!(said.contains("belongs to `texts/rows`, not to `others/rows`"), "{said}");
}

#[test]
fn the_chain_after_a_reset_takes_the_table() {
    let world = world();
    let storage = world.storage();
    let run = || open_in(&world, storage.clone(), 3).unwrap().0.run().unwrap();
    assert_eq!(run(), LaneEnd::Finished);
    world.runtime.block_on(forget(&storage, DataFiles::Keep)).unwrap();
    assert_eq!(run(), LaneEnd::Finished);
    let read = world.runtime.block_on(contents(&storage.tables["rows"])).unwrap();
    let rows: Option<u64> = read.files.values().map(rows_of).sum();
    assert_eq!(rows, Some(6), "of both");
}

#[test]
fn a_table_whose_chain_is_gone_is_taken_when_it_was_released() {
    let world = world();
    drop(open_in(&world, world.storage(), 0).unwrap());
    let delete = |path: Path| world.runtime.block_on(world.store.delete(&path)).unwrap();
    below(&world, "chain/texts/lanes").into_iter().for_each(delete);
    let said = refused(&world, world.storage());
    assert!(said.contains("was in memory:///chain too when it took the table"), "{said}");
    assert!(
        said.contains("put it back from a copy") && said.contains("`sluicegate reset"),
        "{said}"
    );
    let storage = world.storage();
    world.runtime.block_on(release(&storage, "rows", |_| true, &Clock::system())).unwrap();
    drop(open_in(&world, storage, 0).unwrap());
}

/// With another table, so that each could have one.
const MORE: &str = r#"
[[sinks]]
id = "more"
type = "delta"
path = "unused-more"
"#;

/// The slower one is refused by a table's log, or earlier by the data files of the other, whose chain is not in its place.
#[test]
fn of_two_chains_that_are_begun_at_the_same_time_one_gets_all_tables_and_the_other_reads_nothing() {
    for _ in 0..20 {
        let world = World::of(&[HEAD, TABLE, MORE].concat(), None);
        let places = [world.storage(), elsewhere(&world)];
        let mut ended = thread::scope(|scope| {
            let run = |storage| {
                scope.spawn(|| {
                    let (mut lane, _commands) = open_in(&world, storage, 3)?;
                    Ok::<_, OpenError>(lane.run().unwrap())
                })
            };
            places.map(run).map(|lane| lane.join().unwrap())
        });
        ended.sort_by_key(Result::is_err);
        let [Ok(LaneEnd::Finished), Err(refused)] = &ended else { panic!("{ended:?}") };
        assert!(!refused.may_pass(), "{refused}");
        let said = refused.to_string();
        let has_met_files = matches!(refused, OpenError::Chain(ChainError::Beside { .. }));
        assert!(has_met_files || said.contains("is written by another chain"), "{refused:?}");
        let slots = |place: &str| {
            let lanes = below(&world, place).into_iter();
            lanes.filter(|path| path.as_ref().contains("/lanes/0/chain/")).count()
        };
        let mut records = [slots("chain/"), slots("elsewhere/")];
        records.sort_unstable();
        assert!(records[0] <= 1 && records[1] > 1, "a genesis at most: {records:?}");
        for table in ["rows", "more"] {
            let read = world.runtime.block_on(contents(&world.storage().tables[table])).unwrap();
            let rows: Option<u64> = read.files.values().map(rows_of).sum();
            assert_eq!(rows, Some(3), "{table}");
        }
    }
}
