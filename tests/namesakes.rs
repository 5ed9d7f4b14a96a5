//! Two different pipelines under one name and one `checkpoint.path`: the chain is the first one's. The other reads nothing, writes
//! nothing, and says in what its file differs; the first goes on as if it had never been there.

use std::path::PathBuf;

use serde_json::Value;

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::{Host, ended, sluicegate};
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};
use crate::kafka_to_parquet::assert_answer;

fn status(host: &Host) -> Value {
    host.get("/v1/pipelines/sales")
}

fn phase(host: &Host) -> String {
    status(host)["phase"].as_str().unwrap().to_owned()
}

fn problem(host: &Host) -> String {
    status(host)["problem"].as_str().unwrap_or_default().to_owned()
}

fn note(host: &Host) -> String {
    status(host)["note"].as_str().unwrap_or_default().to_owned()
}

/// Short, so that the test is.
const LEADERSHIP: &str = "[leadership]\nttl = \"3s\"\nmargin = \"500ms\"\n";

/// The first pipeline, a host that runs it, and what it is fed.
struct First {
    place: Place,
    topic: Topic,
    sales: Sales,
    pipeline: Pipeline,
    file: PathBuf,
    host: Host,
}

impl First {
    fn new(label: &str, own_seed: u64) -> Self {
        let place = Place::s3(services::s3());
        let topic = Topic::create(services::kafka(), label, 2);
        let mut sales = Sales::new(seed(own_seed), 2);
        sales.send(&topic, 300);
        let more = LEADERSHIP.to_owned();
        let pipeline = Pipeline { more, ..Pipeline::sales(kafka(&topic)) };
        let file = pipeline.write(&place);
        let host = Host::serve_logging(&place, &file, "first.log");
        eventually("it works", || (phase(&host) == "running").then_some(()));
        eventually("it has committed", || (chain::head(&place)?.epoch() > 0).then_some(()));
        Self { place, topic, sales, pipeline, file, host }
    }

    /// The file of another pipeline of this name, whose results go to the table `turnover`.
    fn namesake(&self, pipeline: &Pipeline) -> PathBuf {
        let file = pipeline.write_as(&self.place, "namesake.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let (table, other) =
            (format!("{}/revenue\"", self.place.url), format!("{}/turnover\"", self.place.url));
        assert!(text.contains(&table), "{text}");
        std::fs::write(&file, text.replace(&table, &other)).unwrap();
        file
    }

    /// It goes on, and its table has all rows. The other one has none.
    fn end(mut self) {
        self.sales.send(&self.topic, 300);
        self.sales.close(&self.topic);
        let records = self.topic.read_back();
        wait_for_the_end(&self.place, &self.topic, &records);
        self.host.stop();
        assert_answer(&self.place, &Rules::sales().judge(&records));
        let written = self.place.list("turnover");
        assert!(written.is_empty(), "{written:?}");
    }
}

#[test]
fn one_that_reads_and_computes_something_else_is_refused_beside_the_leader_and_without_it() {
    let mut first = First::new("namesake", 91);
    let topic = Topic::create(services::kafka(), "namesake-other", 2);
    Sales::new(seed(92), 2).send(&topic, 300);
    let other = Pipeline { window: Some("10s"), ..first.pipeline.reading(kafka(&topic)) };
    let namesake = first.namesake(&other);
    let refused = |when: &str| {
        let output = ended(sluicegate(&first.place).arg("check").arg(&namesake));
        let said = String::from_utf8_lossy(&output.stderr);
        let words = ["was made with other settings", "window was `tumbling 30s`", &topic.name];
        assert_eq!(output.status.code(), Some(2), "{when}: {said}");
        words.iter().for_each(|part| assert!(said.contains(part), "{when}: {said}"));
        let host = Host::serve_logging(&first.place, &namesake, "second.log");
        eventually("it halts", || (phase(&host) == "halted").then_some(()));
        let problem = problem(&host);
        words.iter().for_each(|part| assert!(problem.contains(part), "{when}: {problem}"));
    };
    refused("beside the leader");
    first.host.stop();
    refused("without it");
    first.host = Host::serve_logging(&first.place, &first.file, "again.log");
    first.end();
}

/// Its file would do with what the chain has, so it may take over: until then it says what would change.
#[test]
fn one_with_other_tables_stands_by_and_says_in_what_its_file_differs() {
    let first = First::new("namesake-beside", 93);
    let namesake = first.namesake(&first.pipeline);
    let second = Host::serve_logging(&first.place, &namesake, "second.log");
    let said = eventually("it says in what its file differs", || {
        Some(note(&second)).filter(|said| said.contains("is not that of the leader"))
    });
    assert!(said.contains("sink revenue differs"), "{said}");
    assert_eq!(phase(&second), "standby");
    second.stop();
    first.end();
}
