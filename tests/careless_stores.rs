//! Stores that cannot keep results exactly once are refused before anything is committed, and sound ones are tried once.

use crate::harness::host::{Host, ended, run_to_end, sluicegate};
use crate::harness::middleman::{Fate, Middleman};
use crate::harness::pipeline::{Pipeline, kafka, kafka_bounded};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{PATIENCE, chain, eventually, seed, services};

fn said(stderr: &[u8]) -> String {
    String::from_utf8_lossy(stderr).into_owned()
}

#[test]
fn a_sound_server_passes_the_command_and_is_not_tried_again_by_a_pipeline() {
    let place = Place::s3(services::s3());
    let url = format!("{}/chain", place.url);
    let output = ended(sluicegate(&place).args(["store", "probe", &url, "--json"]));
    assert!(output.status.success(), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["passed"], &answer["rounds"]), (&true.into(), &8.into()));
    assert_eq!(place.list("chain"), ["chain/probe/passed-1"], "and it cleans up");

    let topic = Topic::create(services::kafka(), "probed", 1);
    let mut sales = Sales::new(seed(94), 1);
    sales.send(&topic, 50);
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    eventually("the first commit", || chain::head(&place).filter(|head| head.epoch() >= 1));
    assert!(!host.log().contains("creates each object once"), "{}", host.log());
    host.stop();
}

#[test]
fn a_local_folder_passes_by_itself() {
    let place = Place::local();
    let topic = Topic::create(services::kafka(), "probed-folder", 1);
    let mut sales = Sales::new(seed(95), 1);
    sales.send(&topic, 50);
    sales.close(&topic);
    run_to_end(&place, &Pipeline::sales(kafka_bounded(&topic)).write(&place));
    let probes: Vec<_> = place.list("chain/probe");
    assert_eq!(probes, ["chain/probe/passed-1"]);
}

#[test]
fn a_server_that_ignores_conditions_or_races_is_refused_and_nothing_is_committed() {
    let careless = [
        (Fate::ConditionIgnored, "ignores `If-None-Match: *`"),
        (Fate::LookedAtFirst, "looks first and writes afterwards"),
    ];
    for (fate, reason) in careless {
        let middleman = Middleman::before(services::s3());
        middleman.rule(move |_| fate);
        let place = Place::s3(&middleman.endpoint);
        let topic = Topic::create(services::kafka(), "careless", 1);
        let mut sales = Sales::new(seed(96), 1);
        sales.send(&topic, 50);
        let file = Pipeline::sales(kafka_bounded(&topic)).write(&place);
        let refused = ended(sluicegate(&place).arg("run").arg(&file));
        assert!(!refused.status.success(), "{refused:?}");
        let text = said(&refused.stderr);
        assert!(text.contains("cannot keep results exactly once"), "{text}");
        assert!(text.contains(reason), "{text}");
        let tried = ended(sluicegate(&place).args(["store", "probe", &place.url]));
        assert_eq!(tried.status.code(), Some(1), "{tried:?}");
        assert!(said(&tried.stderr).contains(reason), "{tried:?}");
        let left = place.list("");
        assert!(left.iter().all(|path| !path.contains("lanes")), "{fate:?}: {left:?}");
        assert!(left.iter().all(|path| !path.contains("probe")), "{fate:?}: {left:?}");
    }
}

/// Neither proves that the store is careless: S3 itself refuses with 409 while another create is under way.
#[test]
fn a_store_that_loses_its_answers_or_refuses_with_409_is_tried_again_until_it_is_clear() {
    for fate in [Fate::Conflict, Fate::AnswerLost] {
        let middleman = Middleman::before(services::s3());
        middleman.rule(move |request| if request.creates() { fate } else { Fate::Passed });
        let place = Place::s3(&middleman.endpoint);
        let topic = Topic::create(services::kafka(), "unclear", 1);
        let mut sales = Sales::new(seed(97), 1);
        sales.send(&topic, 50);
        sales.close(&topic);
        let mut host = Host::run(&place, &Pipeline::sales(kafka_bounded(&topic)).write(&place));
        eventually("it says that it tries again", || {
            host.log().contains("trying again").then_some(())
        });
        let left = place.list("");
        assert!(left.iter().all(|path| !path.contains("lanes")), "{fate:?}: {left:?}");
        middleman.pass();
        let status = host.daemon.wait(PATIENCE).unwrap();
        assert!(status.success(), "{fate:?}: {status}: {}", host.log());
        assert!(chain::head(&place).unwrap().ended(), "{fate:?}");
    }
}
