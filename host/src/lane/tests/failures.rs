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
    let status = lane.outside.status.load();
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
    assert_eq!(lane.outside.status.load().dead_letters[0].count, 1);
}
