//! Columns of what stands beside a record's value are columns like all others: keys of windows, inputs of plugins,
//! columns of tables; whatever polls, workers and crashes.

use super::*;

/// The pipeline of the other tests, with the key of its records in the key and their texts in a header.
fn beside() -> World {
    let mut text = [HEAD, STAGES].concat().replace("WINDOW", &TUMBLING.toml());
    text = text.replace("UPDATES", UPDATES);
    let kafka = "type = \"kafka\"\n[source.kafka]\nbrokers = \"unused:1\"\ntopic = \"log\"";
    for (from, to) in [
        ("type = \"files\"\n[source.files]\npath = \"unused\"", kafka),
        ("key = \"string\"", "key = { type = \"string\", from = \"key\" }"),
        ("text = \"string\"", "text = { type = \"string\", from = \"header:text\" }"),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    World::of(&text, None)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn columns_beside_the_value_are_columns_like_all_others(
        partitions in prop::collection::vec(prop::collection::vec(event(), 0..40), 1..3),
        workers in 1..4usize,
        seed: u64,
        lives in prop::collection::vec(1..12usize, 0..3),
    ) {
        let world = beside();
        let logs = logs_of(&partitions);
        let open = |seed| {
            let source = LogSource::new(&logs, 7, seed).with_texts_in_headers();
            world.open_at(Box::new(source), workers, &Clock::system())
        };
        for (life, turns) in lives.into_iter().enumerate() {
            let (mut lane, _commands) = open(seed ^ life as u64);
            for _ in 0..turns {
                lane.step().unwrap();
            }
        }
        let (mut lane, _commands) = open(seed);
        prop_assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
        let (rows, fates) = expected(&partitions, TUMBLING, 0);
        prop_assert_eq!(world.results(), rows);
        prop_assert_eq!(total(world.chain().last().unwrap()), fates);
        prop_assert_eq!(world.count("dead_letters") as u64, fates.dead_lettered);
    }
}
