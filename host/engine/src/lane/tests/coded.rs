//! Keys that are decoded to codes: chunks large enough for it, late rows and refused ones among them.

use arrow::datatypes::DataType;

use super::*;
use sluicegate_model::codes::values;
use sluicegate_model::varlen::Varlen;
use sluicegate_sandbox::plugin::answer::FilterAnswer;
use sluicegate_sandbox::plugin::guest::{FilterGuest, Guest, Instance};
use sluicegate_sandbox::plugin::{Code, PluginError};

/// A filter that would rather have the keys by code, and drops those that end with 7. Its other input are the texts.
pub(super) struct ByCode;

/// Whether such a filter was given codes in a lane.
static WAS_GIVEN_CODES: AtomicBool = AtomicBool::new(false);

impl Code for ByCode {
    fn instantiate(&self, _: &[(String, String)]) -> Result<Instance, PluginError> {
        Ok(Instance::Filter(Box::new(Self)))
    }

    fn by_code(&self) -> &[usize] {
        &[1]
    }
}

impl Guest for ByCode {}

impl FilterGuest for ByCode {
    fn filter(&mut self, rows: &RecordBatch) -> Result<FilterAnswer, PluginError> {
        let keys = rows.column(1);
        let has_codes = matches!(keys.data_type(), DataType::Dictionary(..));
        WAS_GIVEN_CODES.fetch_or(has_codes, Ordering::Relaxed);
        let keys = values(keys);
        let keep = keys.as_string::<i32>().iter().map(|key| !key.unwrap().ends_with('7'));
        Ok(FilterAnswer { keep: keep.collect::<Vec<_>>().into(), rejects: Vec::new() })
    }
}

/// A pipeline with such filters, without a map, and with calls of more rows than a batch by code must have.
fn world(kind: Kind, filters: &[&str], aggregate: &str, key: &str) -> World {
    let stage = |id: &str, kind: &str, plugin: &str| {
        format!("[[stages]]\nid = \"{id}\"\nkind = \"{kind}\"\nplugin = \"{plugin}\"\n")
    };
    let maps = stage("drop", "filter", "drop") + &stage("repeat", "map", "repeat");
    let ours = filters.iter().map(|plugin| stage(plugin, "filter", plugin)).collect::<String>();
    let mut text = [HEAD, STAGES].concat();
    for (from, to) in [
        (maps, ours),
        ("plugin = \"join\"".to_owned(), format!("plugin = \"{aggregate}\"")),
        ("key = [\"key\"]".to_owned(), format!("key = {key}")),
        ("WINDOW".to_owned(), kind.toml()),
        ("UPDATES".to_owned(), String::new()),
    ] {
        assert!(text.contains(&from), "{from}");
        text = text.replace(&from, &to);
    }
    let path = std::path::Path::new("texts.toml");
    let mut config = sluicegate_pipeline::file::parse(&text, path, &BTreeMap::new()).unwrap();
    config.checkpoint.interval = Duration::ZERO;
    config.limits.call_rows = 256;
    config.limits.call_deadline = Duration::from_secs(600);
    World::of_config(config)
}

/// The columns of 100 records that are dictionaries.
fn coded_of(world: &World) -> Vec<usize> {
    let plan = Plan::new(&world.config, &world.modules(None)).unwrap();
    let record = |row: i64| format!(r#"{{"key":"k{}","text":"same","at":{row}}}"#, row % 9);
    let records: Vec<String> = (0..100).map(record).collect();
    let arena: Varlen = records.iter().map(|record| record.as_bytes()).collect();
    let batch = plan.decoder().decode(&arena, 0..records.len()).batch;
    let is_coded =
        |column: &usize| matches!(batch.column(*column).data_type(), DataType::Dictionary(..));
    (0..batch.num_columns()).filter(is_coded).collect()
}

#[test]
fn a_filter_by_code_is_given_what_was_decoded_to_codes() {
    let world = world(TUMBLING, &["key-by-code"], "join", "[\"key\"]");
    let event = |index: i64| Event { key: (index % 9) as u8, at: index / 10, kind: 0 };
    let logs = logs_of(&[(0..300).map(event).collect()]);
    let source = LogSource::new(&logs, 300, 1);
    let (mut lane, _commands) = world.open_at(Box::new(source), 1, &Clock::system());
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert!(WAS_GIVEN_CODES.load(Ordering::Relaxed));
}

#[test]
fn texts_are_coded_that_nobody_reads_one_by_one() {
    let coded = |filters: &[&str], aggregate: &str, key: &str| {
        coded_of(&world(TUMBLING, filters, aggregate, key))
    };
    assert_eq!(coded(&["drop"], "join", "[\"key\"]"), [0], "the key, not what plugins read");
    assert_eq!(coded(&["key-by-code"], "join", "[\"key\"]"), [0], "the key, and a filter by code");
    assert_eq!(coded(&["key-by-code"], "join", "[\"at\"]"), [0], "a filter by code alone");
    let none: [usize; 0] = [];
    assert_eq!(coded(&["key"], "join", "[\"key\"]"), none, "a filter reads the texts");
    assert_eq!(coded(&["key-by-code", "key"], "join", "[\"key\"]"), none, "so does another");
    assert_eq!(coded(&["key-by-code"], "both", "[\"key\"]"), none, "the aggregate reads them");
    assert_eq!(coded(&["drop"], "join", "[\"at\"]"), none, "nobody reads the key");
    let mapped = World::new(TUMBLING);
    assert!(coded_of(&mapped).is_empty(), "a map makes other rows");
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
        by_code in any::<bool>(),
        workers in 1..4usize,
        most in 64..400usize,
        seed: u64,
    ) {
        let filters: &[&str] = if by_code { &["drop", "key-by-code"] } else { &["drop"] };
        let world = world(kind, filters, "join", "[\"key\"]");
        let logs = logs_of(&partitions);
        let source = LogSource::new(&logs, most, seed);
        let (mut lane, _commands) = world.open_at(Box::new(source), workers, &Clock::system());
        prop_assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
        let mut partitions = partitions;
        for event in partitions.iter_mut().flatten() {
            // What the filter drops by its key is as good as what the other drops by its text.
            event.kind = if by_code && event.key == 7 && event.kind != 9 { 4 } else { event.kind };
        }
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
