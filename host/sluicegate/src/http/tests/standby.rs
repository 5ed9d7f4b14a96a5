//! A host that stands by: it says so, answers what is read, and sends what changes something to the leader.

use super::*;
use std::sync::Arc;

use crate::api::pipelines::{Leadership, PipelineStatus};
use crate::api::releases::{Activations, Releases};
use sluicegate_chain::lead::claim::{Claim, LeadTerm};
use sluicegate_chain::record::{Activation, Epoch};
use sluicegate_engine::lead::Role;
use sluicegate_engine::status::{Followed, LaneStatus, Phase};
use sluicegate_model::time::EventTime;

fn claim(url: Option<&str>) -> Claim {
    Claim {
        term: LeadTerm(4),
        instance: "host-1/17".to_owned(),
        nonce: "n".to_owned(),
        ttl_ms: 15_000,
        url: url.map(str::to_owned),
        process: None,
        file: None,
        at: EventTime(0),
    }
}

const RELEASE: &str = r#"{"stage": "valid", "module": "valid-sale"}"#;

async fn release(api: &Api) -> Answer {
    let post = request(Method::POST, "/v1/pipelines/sales/releases");
    let post = post.header("content-type", "application/json");
    send(&api.router, post.body(Body::from(RELEASE)).unwrap()).await
}

#[tokio::test]
async fn only_the_leader_is_good_for_a_load_balancer() {
    let api = api();
    assert_eq!(get_path(&api.router, "/health/leader").await.status, StatusCode::OK);
    api.fixture.lead.follow(&claim(None));
    let answer = get_path(&api.router, "/health/leader").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text.contains("`host-1/17` leads pipeline `sales`"), "{}", answer.text);
    api.fixture.publish(|status| status.phase = Phase::Standby);
    assert_eq!(get_path(&api.router, "/health/ready").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_read_is_answered_with_who_leads() {
    let api = api();
    api.fixture.lead.follow(&claim(Some("http://host-1:8080")));
    let answer = get_path(&api.router, "/v1/pipelines/sales").await;
    assert_eq!(answer.status, StatusCode::OK);
    let status: PipelineStatus = serde_json::from_str(&answer.text).unwrap();
    let Leadership { role, term, leader, url, .. } = status.line.leadership;
    assert_eq!((role, term), (Role::Standby, Some(4)));
    assert_eq!(leader.as_deref(), Some("host-1/17"));
    assert_eq!(url.as_deref(), Some("http://host-1:8080"));
}

#[tokio::test]
async fn what_changes_something_is_sent_to_the_leader() {
    let api = api();
    api.fixture.lead.follow(&claim(Some("http://host-1:8080/")));
    let sent = release(&api).await;
    assert_eq!(sent.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(sent.headers["location"], "http://host-1:8080/v1/pipelines/sales/releases");

    api.fixture.lead.follow(&claim(None));
    let refused = release(&api).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text.contains("start it with `--advertise URL`"), "{}", refused.text);
}

/// It follows the chain, which pins them.
#[tokio::test]
async fn what_runs_and_what_ran_are_those_of_the_chain_that_it_follows() {
    let api = api();
    let ran = api.fixture.handle.status().modules.clone();
    let activation = Activation {
        epoch: Epoch(41),
        at: EventTime(0),
        stage: ran[0].stage.clone(),
        name: ran[0].name.clone(),
        digest: ran[0].digest,
        previous_name: "before".to_owned(),
        previous: ran[1].digest,
    };
    let followed = |epoch| Followed {
        epoch: Epoch(epoch),
        modules: ran.clone(),
        activations: vec![Activation { epoch: Epoch(7), ..activation.clone() }, activation.clone()],
    };
    api.fixture.publish(|status| {
        *status = LaneStatus {
            phase: Phase::Standby,
            followed: Some(Arc::new(followed(42))),
            ..LaneStatus::nothing_yet("sales")
        };
    });
    let read = async |what: &str| {
        let answer = get_path(&api.router, &format!("/v1/pipelines/sales/{what}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.text
    };
    let Releases { epoch, releases } = serde_json::from_str(&read("releases").await).unwrap();
    assert_eq!(epoch, Some(42));
    let digests: Vec<_> = releases.iter().map(|release| release.digest).collect();
    assert_eq!(digests, ran.iter().map(|pinned| pinned.digest).collect::<Vec<_>>());
    let Activations { activations } = serde_json::from_str(&read("activations").await).unwrap();
    let epochs: Vec<_> = activations.iter().map(|activation| activation.epoch).collect();
    assert_eq!(epochs, [41, 7], "newest first");
    // All else is the leader's to say.
    let status: PipelineStatus =
        serde_json::from_str(&get_path(&api.router, "/v1/pipelines/sales").await.text).unwrap();
    assert!(status.line.epoch.is_none() && status.stages.is_empty());
}
