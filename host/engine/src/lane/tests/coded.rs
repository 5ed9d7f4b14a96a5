//! Keys that are decoded to codes: turns large enough for it, late rows and refused ones among them.

use super::*;

/// The pipeline of the other tests without its map, so that nobody reads the key but the windows.
fn without_map(kind: Kind) -> World {
    let map = "[[stages]]\nid = \"repeat\"\nkind = \"map\"\nplugin = \"repeat\"\n";
    let stages = STAGES.replace(map, "");
    assert_ne!(stages, STAGES);
    let text = [HEAD, &stages].concat();
    World::of(&text.replace("WINDOW", &kind.toml()).replace("UPDATES", ""), None)
}

fn coded(world: &World) -> Vec<usize> {
    Plan::new(&world.config, &world.modules(None)).unwrap().coded
}

#[test]
fn texts_are_coded_that_nobody_reads_one_by_one() {
    assert_eq!(coded(&without_map(TUMBLING)), [0], "the key, and not what the plugins read");
    assert!(coded(&World::new(TUMBLING)).is_empty(), "a map makes other rows");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn tables_equal_a_batch_computation_with_keys_by_code(
        kind in kind().prop_filter("rows are late", |kind| !matches!(kind, Kind::Global { .. })),
        partitions in prop::collection::vec(
            prop::collection::vec(
                (0..9u8, 0..60i64, prop::sample::select(vec![0, 0, 0, 0, 4, 7, 9]))
                    .prop_map(|(key, at, kind)| Event { key, at: at - 20, kind }),
                0..400,
            ),
            1..3,
        ),
        workers in 1..4usize,
        most in 64..400usize,
        seed: u64,
    ) {
        let world = without_map(kind);
        let logs = logs_of(&partitions);
        let source = LogSource::new(&logs, most, seed);
        let (mut lane, _commands) = world.open_at(Box::new(source), workers, &Clock::system());
        prop_assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
        let (rows, fates) = expected(&partitions, kind, 0);
        // The map would number what it makes.
        let rows: Vec<String> = rows.iter().map(|row| row.replace("0;", ";")).collect();
        prop_assert_eq!(world.results(), rows);
        prop_assert_eq!(total(world.chain().last().unwrap()), fates);
        prop_assert_eq!(world.count("dead_letters") as u64, fates.dead_lettered);
        // A late row is written with its key.
        let mut late: Vec<String> = world.table("late").iter().flat_map(as_values).map(|row| {
            let (key, text) = (row["key"].as_str().unwrap(), row["text"].as_str().unwrap());
            format!("{key} {text}")
        }).collect();
        prop_assert_eq!(late.len() as u64, fates.late);
        let mut sent: Vec<String> = partitions.iter().zip(0..).flat_map(|(events, number)| {
            let events = events.iter().enumerate();
            events.map(move |(index, event)| {
                format!("p{number}k{} {}", event.key, text(index, event.kind))
            })
        }).collect();
        late.sort();
        sent.sort();
        let mut sent = sent.iter();
        prop_assert!(late.iter().all(|row| sent.any(|sent| sent == row)), "{late:?}");
    }
}
