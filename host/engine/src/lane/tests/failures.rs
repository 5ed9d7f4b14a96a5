//! What a plugin cannot make anything of never vanishes: it is kept, counted and told, or the lane halts.

use arrow::array::AsArray;

use super::*;

/// A pipeline whose file says nothing of dead letters.
pub(super) fn world(more: &str) -> World {
    let text = [HEAD, STAGES].concat().replace("WINDOW", &TUMBLING.toml()).replace("UPDATES", "");
    let text = text.replace("[dead_letters]\npath = \"unused-dead\"\n", more);
    World::of(&text, None)
}

/// Records with these texts, each with a key of its own.
pub(super) fn logs(texts: impl IntoIterator<Item = String>) -> Logs {
    let line =
        |(at, text): (usize, String)| format!(r#"{{"key":"k{at}","text":"{text}","at":{at}}}"#);
    let partition = Partition { stream: Arc::from("log"), number: 0 };
    Arc::new(BTreeMap::from([(partition, texts.into_iter().enumerate().map(line).collect())]))
}

fn column(world: &World, name: &str) -> Vec<String> {
    let texts = |batch: &RecordBatch| -> Vec<String> {
        let column = batch.column_by_name(name).unwrap().as_string::<i32>();
        column.iter().map(|text| text.unwrap().to_owned()).collect()
    };
    world.table("dead_letters").iter().flat_map(texts).collect()
}

#[test]
fn a_group_that_cannot_be_evaluated_is_kept_counted_and_told_by_default() {
    let world = world("");
    let text = |n: usize| if n == 3 { "unspeakable".to_owned() } else { n.to_string() };
    let (mut lane, _commands) = world.open(&logs((0..20).map(text)), 2, 1);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert_eq!(world.results().len(), 19, "a result for every other group");
    assert_eq!(column(&world, "kind"), ["evaluate"]);
    let reason = column(&world, "reason").remove(0);
    assert!(reason.contains("a state with `unspeakable`"), "{reason}");
    let status = lane.desk.outside.status.load();
    let told = &status.dead_letters;
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((told.kind.as_str(), told.count, &*told.first_stage), ("evaluate", 1, "join"));
    assert_eq!(told.first_reason, reason);
}

#[test]
fn a_group_that_cannot_be_evaluated_halts_the_lane_where_the_file_says_so() {
    let world = world("[failures]\non_group_failure = \"halt\"\n");
    let (mut lane, _commands) = world.open(&logs(["fine", "unspeakable"].map(str::to_owned)), 1, 1);
    let error = lane.run().unwrap_err().to_string();
    assert!(error.starts_with("stage `join` failed (evaluate): trap: a state with"), "{error}");
    assert!(error.contains("`failures.on_group_failure = \"halt\"`"), "{error}");
    assert_eq!(world.count("dead_letters") + world.count("results"), 0, "nothing is committed");
}

/// Every slow row says that it takes a twentieth of the breaker's budget.
fn slow_rows() -> Logs {
    logs((0..400).map(|n| if n % 2 == 0 { "slow".to_owned() } else { n.to_string() }))
}

#[test]
fn what_an_open_breaker_refuses_is_kept_and_named() {
    let world = world("");
    let (mut lane, _commands) = world.open(&slow_rows(), 1, 1);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    let kinds = column(&world, "kind");
    let of = |name: &str| kinds.iter().filter(|kind| *kind == name).count();
    let (deadline, breaker) = (of("deadline"), of("breaker"));
    assert!(deadline > 0 && breaker > 0 && deadline + breaker == kinds.len(), "{kinds:?}");
    // Nothing vanishes: what has no result is a dead letter.
    assert_eq!(world.results().len() + kinds.len(), 400);
}

#[test]
fn an_open_breaker_halts_the_lane_where_the_file_says_so() {
    let world = world("[failures]\non_breaker = \"halt\"\n");
    let error = world.open(&slow_rows(), 1, 1).0.run().unwrap_err().to_string();
    assert!(error.starts_with("stage `drop` failed (breaker): refused together with"), "{error}");
}

#[test]
fn dead_letters_are_dropped_only_where_the_file_says_so() {
    let world = world("[dead_letters]\nenabled = false\n");
    let (mut lane, _commands) = world.open(&logs(["unspeakable".to_owned()]), 1, 1);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert!(world.config.tables().iter().all(|(id, _)| **id != *"dead_letters"));
    assert_eq!(lane.desk.outside.status.load().dead_letters[0].count, 1);
}

/// Once it is committed such a message could never be sent, and nothing after it.
#[test]
fn a_message_that_its_topic_cannot_take_is_a_dead_letter_and_the_others_are_sent() {
    let text = [HEAD, STAGES].concat().replace("WINDOW", &TUMBLING.toml()).replace("UPDATES", "");
    let properties = "topic = \"finals\"\nproperties = { \"message.max.bytes\" = 2000 }";
    let text = text.replace("topic = \"finals\"", properties);
    let world = World::of(&text.replace("[dead_letters]\npath = \"unused-dead\"\n", ""), None);
    let text = |n: usize| if n == 2 { "a".repeat(2_000) } else { n.to_string() };
    let (mut lane, _commands) = world.open(&logs((0..5).map(text)), 1, 1);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert_eq!(world.topics.values("finals").len(), 4);
    assert_eq!(world.results().len(), 5, "the table has it");
    assert_eq!(
        (column(&world, "stage"), column(&world, "kind")),
        (vec!["finals".to_owned()], vec!["too_large".to_owned()])
    );
    let batch = world.table("dead_letters").remove(0);
    let value = batch.column_by_name("value").unwrap().as_binary::<i32>().value(0).to_vec();
    let value: serde_json::Value = serde_json::from_slice(&value).unwrap();
    assert_eq!((&value["key"], value["texts"].as_str().unwrap().len()), (&"k2".into(), 2_002));
}

/// A topic that will never take them must not hold everything up for ever.
#[test]
fn what_a_topic_does_not_take_is_given_up_on_record() {
    let world = world("");
    let records = || logs((0..60).map(|n| n.to_string()));
    let unsent = || world.runtime.block_on(chain::unsent(&world.storage())).unwrap();
    let (mut lane, _commands) = world.open(&records(), 1, 1);
    // The first window fires long before the end of the input, and its epoch is committed a few steps later.
    let committed = (0..10_000).any(|_| lane.step().unwrap().is_some() || unsent().is_some());
    assert!(committed && unsent().is_some(), "results were committed");
    drop(lane);
    let give_up = || world.runtime.block_on(chain::give_up_outbox(&world.storage(), "test"));
    let (before, given_up) = (world.chain().pop().unwrap(), give_up().unwrap().unwrap());
    assert_eq!(Some(&given_up), before.outbox.as_ref());
    let head = world.chain().pop().unwrap();
    assert_eq!((head.outbox, &head.state, &head.source), (None, &before.state, &before.source));
    assert_eq!(give_up().unwrap(), None, "nothing is left");
    let (mut lane, _commands) = world.open(&records(), 1, 1);
    assert_eq!(lane.run().unwrap(), LaneEnd::Finished);
    assert_eq!(world.results().len(), 60);
}
