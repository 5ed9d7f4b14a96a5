//! Old slots of the chain go while a host runs: what is left can be verified and opened, and no row changes.

use crate::exactly_once::wait_for;
use crate::harness::host::{Host, ended, sluicegate};
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::table::{assert_same_rows, rows};
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};
use crate::kafka_to_parquet::RESULTS;

/// 128 go at once, 128 stay, and after a look in vain the next is 128 epochs later.
const EPOCHS: u64 = 3 * 128;

#[test]
fn old_slots_go_while_a_host_runs_and_what_is_left_is_sound() {
    let place = Place::s3(services::s3());
    let topic = Topic::create(services::kafka(), "old-slots", 2);
    let mut sales = Sales::new(seed(141), 2);
    let more = "retain = \"0s\"\n".to_owned();
    let pipeline = Pipeline { checkpoint: "100ms", more, ..Pipeline::sales(kafka(&topic)) };
    let pipeline = pipeline.write(&place);
    let host = Host::serve(&place, &pipeline);
    let mut epoch = 0;
    while epoch < EPOCHS {
        sales.send(&topic, 20);
        let before = epoch;
        epoch = eventually("an epoch", || {
            chain::newest(&place).map(|head| head.epoch()).filter(|epoch| *epoch > before)
        });
    }
    let first = eventually("old slots go", || {
        chain::kept(&place).get(1).map(|record| record.epoch()).filter(|first| *first > 1)
    });
    println!("epochs from 1 to {} went while the host ran, of {epoch}", first - 1);
    let floors = place.list("chain").iter().filter(|path| path.contains("/floor/")).count();
    assert!(floors > 0, "a floor says what went");
    host.stop();
    let sound = ended(sluicegate(&place).arg("verify").arg(&pipeline));
    assert!(sound.status.success(), "{sound:?}");

    let host = Host::serve(&place, &pipeline);
    sales.send(&topic, 400);
    sales.close(&topic);
    let records = topic.read_back();
    wait_for(&topic, &records, || chain::newest(&place));
    host.stop();
    let answer = Rules::sales().judge(&records);
    assert_same_rows("results", &rows(&place, "revenue", &RESULTS), &answer.results);
    let dead = rows(&place, "dead", &["partition", "offset"]);
    assert_same_rows("dead letters", &dead, &answer.dead_letters);
    assert_eq!(chain::newest(&place).unwrap().fates(), answer.fates);
    let sound = ended(sluicegate(&place).arg("verify").arg(&pipeline));
    assert!(sound.status.success(), "{sound:?}");
}
