//! Two hosts run one pipeline: the first works, the other stands by until it ends, and in the end one is left.

use std::path::Path;

use serde_json::Value;

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::Host;
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};
use crate::kafka_to_parquet::assert_answer;

/// Three times: it was a toss-up once.
const REPETITIONS: u64 = 3;

#[test]
fn a_rolling_update_ends_with_exactly_one_host_and_nothing_lost_or_doubled() {
    for repetition in 0..REPETITIONS {
        let place = Place::local();
        let topic = Topic::create(services::kafka(), "rolling", 2);
        let mut sales = Sales::new(seed(61 + repetition), 2);
        // Not so many epochs that an opening would not look back to the first host's.
        let pipeline =
            Pipeline { checkpoint: "1s", ..Pipeline::sales(kafka(&topic)) }.write(&place);
        sales.send(&topic, 500);
        let old = Host::serve_logging(&place, &pipeline, "old.log");
        eventually("the old host commits", || {
            chain::head(&place).filter(|head| head.fates().read > 0).map(|_| ())
        });

        let new = Host::serve_logging(&place, &pipeline, "new.log");
        sales.send(&topic, 500);
        in_phase(&new, "standby");
        in_phase(&old, "running");
        assert!(is_live(&old) && is_live(&new), "neither is to be restarted");
        sales.send(&topic, 500);
        old.stop();
        in_phase(&new, "running");
        sales.send(&topic, 500);
        // And once more.
        let last = Host::serve_logging(&place, &pipeline, "last.log");
        in_phase(&last, "standby");
        sales.send(&topic, 500);
        new.stop();
        in_phase(&last, "running");
        sales.close(&topic);
        let records = topic.read_back();
        wait_for_the_end(&place, &topic, &records);
        last.stop();
        reopen(&place, &pipeline);
        assert_answer(&place, &Rules::sales().judge(&records));
    }
}

/// An opening deletes what readers of the plain directory must not see: files that somebody wrote for an epoch he lost.
fn reopen(place: &Place, pipeline: &Path) {
    let host = Host::serve_logging(place, pipeline, "again.log");
    in_phase(&host, "running");
    host.stop();
}

#[track_caller]
fn in_phase(host: &Host, phase: &str) {
    eventually(phase, || {
        let status: Value = host.get("/v1/pipelines/sales");
        (status["phase"] == phase).then_some(())
    });
}

fn is_live(host: &Host) -> bool {
    reqwest::blocking::get(format!("{}/health/live", host.url)).unwrap().status().is_success()
}
