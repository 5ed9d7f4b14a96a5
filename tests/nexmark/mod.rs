//! NEXMark: the pipelines of `deploy/pipelines/nexmark`, as they are, give what a recomputation in plain Rust gives.

mod reference;

use xtask::workspace::Workspace;

use crate::harness::host::{self, run_to_end};
use crate::harness::pipeline::kafka_bounded;
use crate::harness::place::Place;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::Topic;
use crate::harness::{chain, seed, services};
use reference::{Answer, Input};

/// Five minutes before the hour at which `q14` says that day begins, at a rate that passes it.
const FLAWS: [&str; 8] = [
    "--start-time",
    "2026-01-01T07:55:00Z",
    "--rate",
    "5",
    "--out-of-order",
    "4s/30%",
    "--bad",
    "1%",
];

/// Beyond the bound of all pipelines, and beyond most windows.
const LATE: &str = "2%/20s";

/// A query: the pipeline's file and what must come out.
struct Query {
    name: &'static str,
    /// The columns that are compared.
    columns: &'static [&'static str],
    /// Which of the events are late.
    late: &'static str,
    /// By plain Rust.
    answer: fn(&Input) -> Answer,
}

const Q0: Query = Query {
    name: "q0",
    columns: &["user", "ts", "auction", "price"],
    late: LATE,
    answer: reference::q0,
};
const Q1: Query =
    Query { name: "q1", columns: &["user", "ts", "price"], late: LATE, answer: reference::q1 };
const Q2: Query =
    Query { name: "q2", columns: &["auction", "price"], late: LATE, answer: reference::q2 };
const Q5: Query = Query {
    name: "q5",
    columns: &["auction", "bids", "window_start", "window_end"],
    late: LATE,
    answer: reference::q5,
};
const Q7: Query = Query {
    name: "q7",
    columns: &["auction", "user", "price", "window_start", "window_end"],
    late: LATE,
    answer: reference::q7,
};
const Q8: Query = Query {
    name: "q8",
    columns: &["user", "events", "window_start"],
    late: LATE,
    answer: reference::q8,
};
/// Nothing is late: of a user in several partitions a late bid may be rescued by a session of another one, or not.
const Q11: Query = Query {
    name: "q11",
    columns: &["user", "events", "window_start", "window_end"],
    late: "0%",
    answer: reference::q11,
};
const Q12: Query = Query {
    name: "q12",
    columns: &["user", "events", "window_start"],
    late: LATE,
    answer: reference::q12,
};
const Q14: Query = Query {
    name: "q14",
    columns: &["user", "price", "time_of_day", "letters"],
    late: LATE,
    answer: reference::q14,
};
const Q15: Query = Query {
    name: "q15",
    columns: &["bids", "cheap_bids", "dear_bids", "users", "auctions", "window_start"],
    late: LATE,
    answer: reference::q15,
};

#[test]
fn query_0_passes_bids_through() {
    over_files(&Q0);
}

#[test]
fn query_1_converts_prices() {
    over_files(&Q1);
}

#[test]
fn query_2_selects_auctions() {
    over_files(&Q2);
}

#[test]
fn query_5_finds_hot_items() {
    over_files(&Q5);
}

#[test]
fn query_7_finds_the_highest_bids() {
    over_files(&Q7);
}

#[test]
fn query_8_finds_users_that_act_twice() {
    over_files(&Q8);
}

#[test]
fn query_11_counts_the_bids_of_sessions() {
    over_files(&Q11);
}

#[test]
fn query_12_counts_the_bids_of_users() {
    over_files(&Q12);
}

#[test]
fn query_14_runs_a_function_on_every_row() {
    over_files(&Q14);
}

#[test]
fn query_15_counts_distinct_users() {
    over_files(&Q15);
}

#[test]
fn query_5_gives_the_same_over_kafka() {
    over_kafka(&Q5);
}

#[test]
fn query_7_gives_the_same_over_kafka() {
    over_kafka(&Q7);
}

#[test]
fn query_11_gives_the_same_over_kafka() {
    over_kafka(&Q11);
}

#[test]
fn query_12_gives_the_same_over_kafka() {
    over_kafka(&Q12);
}

/// Three files, each a partition, through the pipeline file as it is but for its paths.
fn over_files(query: &Query) {
    let place = Place::local();
    let first = seed(50);
    let mut partitions = Vec::new();
    for number in first..first + 3 {
        let file = place.folder.path().join(format!("data/nexmark/{number}.ndjson"));
        let to = ["--count", "5000", "--out", file.to_str().unwrap(), "--late", query.late];
        produce(&place, number, &to);
        let text = std::fs::read(&file).unwrap();
        partitions.push(text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>());
        // Behind the last line end there is no record.
        assert_eq!(partitions.last_mut().unwrap().pop(), Some(Vec::new()));
    }
    let pipeline = place.folder.path().join("nexmark.toml");
    std::fs::write(&pipeline, moved(query)).unwrap();
    run_to_end(&place, &pipeline);
    compare(query, &place, &Input::of(&partitions));
}

/// A topic with three partitions through the pipeline file with another source.
fn over_kafka(query: &Query) {
    let topic = Topic::create(services::kafka(), "nexmark", 3);
    let place = Place::local();
    let to = ["--topic", &topic.name, "--brokers", &topic.brokers, "--late", query.late];
    produce(&place, seed(53), &[&["--count", "12000"], to.as_slice()].concat());
    let mut partitions = vec![Vec::new(); 3];
    for record in topic.read_back() {
        partitions[usize::try_from(record.partition).unwrap()].push(record.value);
    }
    let sizes: Vec<_> = partitions.iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| *size > 300), "users are spread: {sizes:?}");

    let text = moved(query);
    let (head, rest) = text.split_once("[source]\n").unwrap();
    let (_, rest) = rest.split_once("[schema]\n").unwrap();
    let pipeline = place.folder.path().join("nexmark.toml");
    std::fs::write(&pipeline, format!("{head}{}[schema]\n{rest}", kafka_bounded(&topic))).unwrap();
    run_to_end(&place, &pipeline);
    compare(query, &place, &Input::of(&partitions));
}

/// The pipeline file of a query, as it is where data lie beside it and plugins where they are built.
fn moved(query: &Query) -> String {
    let folder = Workspace::here().root().join("deploy/pipelines/nexmark");
    let text = std::fs::read_to_string(folder.join(format!("{}.toml", query.name))).unwrap();
    let plugins = Workspace::here().plugins().display().to_string();
    text.replace("../../../target/plugins", &plugins).replace("../../../data/", "data/")
}

fn produce(place: &Place, seed: u64, to: &[&str]) {
    let mut command = host::sluicegate(place);
    command.args(["produce", "nexmark", "--seed", &seed.to_string()]).args(FLAWS).args(to);
    let made = host::ended(&mut command);
    assert!(made.status.success(), "{made:?}");
}

#[track_caller]
fn compare(query: &Query, place: &Place, input: &Input) {
    let answer = (query.answer)(input);
    assert!(!answer.rows.is_empty() && answer.fates.dead_lettered > 0, "too little happened");
    let table = format!("nexmark-{}", query.name);
    assert_same_rows(query.name, &rows(place, &table, query.columns), &answer.rows);
    let dead = rows(place, &format!("{table}-dead"), &["kind"]);
    assert_eq!(dead, vec!["decode".to_owned(); dead.len()]);
    assert_eq!(dead.len() as u64, answer.fates.dead_lettered);
    let head = chain::head(place).unwrap();
    assert!(head.ended());
    assert_eq!(head.fates(), answer.fates);
}
