//! Every record read has one fate, partition by partition and epoch by epoch, in the chain, over
//! HTTP and on the command line: `read = accepted + filtered + late + dead_lettered`
//! (docs/guarantees.md#g4).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::exactly_once::wait_for_the_end;
use crate::harness::chain::Fates;
use crate::harness::host::{self, Host};
use crate::harness::oracle::Rules;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{chain, eventually, seed, services};

/// The harness checks the equation in every record that it reads; here it is checked that all fates occur in every
/// partition, that none is ever taken back, and that everybody says the same.
#[test]
fn every_record_has_one_fate_in_its_partition_and_epoch() {
    let topic = Topic::create(services::kafka(), "fates", 3);
    let mut sales = Sales::new(seed(80), 3);
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.checkpoint = "100ms";
    pipeline.more = "[limits]\nturn_records = 10\n".to_owned();
    let host = Host::serve(&place, &pipeline.write(&place));
    for _ in 0..5 {
        sales.send(&topic, 400);
        wait_for_the_end(&place, &topic, &topic.read_back());
    }
    let records = topic.read_back();

    // Rows are judged by their own partition, so its fates do not depend on the others.
    let expected: BTreeMap<i64, Fates> = (0..3)
        .map(|number| {
            let own: Vec<_> =
                records.iter().filter(|record| record.partition == number).cloned().collect();
            (i64::from(number), Rules::sales().judge(&own).fates)
        })
        .collect();
    for fates in expected.values() {
        let Fates { read, accepted, filtered, late, dead_lettered } = *fates;
        assert_eq!(read, 2_000);
        assert!([accepted, filtered, late, dead_lettered].iter().all(|count| *count > 0));
    }
    let of_status = |status: &Value| -> BTreeMap<i64, Fates> {
        let partitions = status["partitions"].as_array().unwrap();
        let fates = |one: &Value| chain::fates(&one["records"]);
        partitions.iter().map(|one| (one["partition"].as_i64().unwrap(), fates(one))).collect()
    };
    eventually("the status has caught up with the chain", || {
        (of_status(&host.get("/v1/pipelines/sales")) == expected).then_some(())
    });
    let mut command = host::sluicegate(&place);
    command.args(["status", "sales", "--json", "--url", &host.url]);
    let told = host::ended(&mut command);
    assert!(told.status.success(), "{told:?}");
    assert_eq!(of_status(&serde_json::from_slice(&told.stdout).unwrap()), expected);
    host.stop();

    let chain = chain::records(&place);
    assert!(chain.len() > 4, "{} epochs", chain.len());
    assert_eq!(chain.last().unwrap().fates_by_partition(), expected);
    for pair in chain.windows(2) {
        let (before, after) = (pair[0].fates_by_partition(), pair[1].fates_by_partition());
        for (partition, before) in before {
            let after = after[&partition];
            let epoch = pair[1].epoch();
            assert!(after.since(&before).is_some(), "epoch {epoch}: {before:?} → {after:?}");
        }
    }
}
