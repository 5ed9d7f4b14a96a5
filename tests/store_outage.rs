//! The store goes away and comes back: intake pauses, nothing is lost, the job goes on by itself.

use crate::exactly_once::wait_for_the_end;
use crate::harness::host::Host;
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};
use crate::kafka_to_parquet::assert_answer;

#[test]
fn intake_pauses_while_the_store_is_away_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = services::own_s3(folder.path());
    let place = Place::s3(&server.endpoint());
    let topic = Topic::create(services::kafka(), "store-outage", 2);
    let mut sales = Sales::new(seed(31), 2);
    sales.send(&topic, 500);
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    let before = eventually("the first commits", || {
        chain::head(&place).filter(|head| head.epoch() >= 1).map(|head| head.epoch())
    });

    server.kill();
    sales.send(&topic, 3_000);
    let problem = eventually("the status names the store's problem", || {
        host.get("/v1/pipelines/sales")["problem"].as_str().map(str::to_owned)
    });
    assert!(problem.starts_with("not committed for"), "{problem}");

    server.restart().unwrap();
    sales.close(&topic);
    let records = topic.read_back();
    wait_for_the_end(&place, &topic, &records);
    eventually("the status is well again", || {
        host.get("/v1/pipelines/sales")["problem"].is_null().then_some(())
    });
    host.stop();
    assert!(chain::head(&place).unwrap().epoch() > before);
    assert_answer(&place, &Rules::sales().judge(&records));
}
