//! Status, releases, live results, health.

use expect_test::{Expect, expect};
use futures::StreamExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::handle::fixture::{another, guest};
use sluicegate_chain::record::Epoch;
use sluicegate_engine::lane::{Awaited, Command, PlanError, Refusal};
use sluicegate_engine::status::{LiveResults, Phase};
use sluicegate_model::time::Watermark;
use sluicegate_sandbox::PluginError;

async fn release(router: &Router, body: &str) -> Answer {
    let request = request(Method::POST, "/v1/pipelines/sales/releases");
    let request = request.header("content-type", "application/json");
    send(router, request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Digests differ with the tool chain.
fn without_digests(mut json: Value) -> String {
    fn blank(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| {
                if name == "digest" || name == "previous" {
                    *value = "…".into()
                } else {
                    blank(value)
                }
            }),
            Value::Array(items) => items.iter_mut().for_each(blank),
            _ => {}
        }
    }
    blank(&mut json);
    format!("{json:#}")
}

#[tokio::test]
async fn the_status_tells_positions_watermark_lag_and_versions() {
    let api = api();
    let status = get_path(&api.router, "/v1/pipelines/sales").await;
    expect![[r#"
        {
          "dead_letters": [],
          "epoch": 7,
          "input_ended": false,
          "lag": 5,
          "name": "sales",
          "open_groups": 3,
          "partitions": [
            {
              "end_offset": 15,
              "idle": false,
              "jumps": 0,
              "lag": 5,
              "max_event_time": "1970-01-01T00:16:45Z",
              "next_offset": 10,
              "partition": 0,
              "paused": false,
              "records": {
                "accepted": 7,
                "dead_lettered": 1,
                "filtered": 2,
                "late": 0,
                "read": 10
              },
              "stream": "sales",
              "watermark": "1970-01-01T00:16:40Z"
            }
          ],
          "partitions_left_out": 0,
          "phase": "running",
          "problem": null,
          "records": {
            "accepted": 7,
            "dead_lettered": 1,
            "filtered": 2,
            "late": 0,
            "read": 10
          },
          "stages": [
            {
              "digest": "…",
              "generation": 1,
              "module": "valid-sale",
              "stage": "valid",
              "state_version": 0
            },
            {
              "digest": "…",
              "generation": 1,
              "module": "revenue",
              "stage": "revenue",
              "state_version": 1
            }
          ],
          "state_bytes": 120,
          "turns": 9,
          "watermark": "1970-01-01T00:16:40Z",
          "watermark_delay_seconds": 4.0
        }"#]]
    .assert_eq(&without_digests(status.json()));
    let list = get_path(&api.router, "/v1/pipelines").await.json();
    assert_eq!(list["pipelines"][0]["lag"], 5);
    let unknown = get_path(&api.router, "/v1/pipelines/sale").await;
    expect![[r#"404 unknown_pipeline: there is no pipeline `sale`: this host runs `sales`"#]]
        .assert_eq(&unknown.failure());
}

#[tokio::test]
async fn a_watermark_before_the_first_event_and_after_the_last_is_no_time() {
    let api = api();
    for (watermark, ended) in [(Watermark::None, false), (Watermark::End, true)] {
        api.fixture.publish(|status| status.watermark = watermark);
        let json = get_path(&api.router, "/v1/pipelines/sales").await.json();
        assert_eq!(json["watermark"], Value::Null);
        assert_eq!(json["watermark_delay_seconds"], Value::Null);
        assert_eq!(json["input_ended"], ended);
    }
}

#[tokio::test]
async fn a_release_is_answered_with_the_epoch_that_pins_it() {
    let mut api = api();
    api.fixture.modules.put("valid-sale", another(&guest("valid-sale"))).await.unwrap();
    let mut commands = std::mem::replace(&mut api.fixture.commands, mpsc::channel(1).1);
    let lane = tokio::spawn(async move {
        let Some(Command::Activate { stage, reply, .. }) = commands.recv().await else { panic!() };
        reply.send(Ok(Epoch(8))).unwrap();
        stage
    });
    let answer = release(&api.router, r#"{"stage":"valid","module":"valid-sale"}"#).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    expect![[r#"
        {
          "changed": true,
          "digest": "…",
          "epoch": 8,
          "module": "valid-sale",
          "previous": "…",
          "stage": "valid"
        }"#]]
    .assert_eq(&without_digests(answer.json()));
    assert_eq!(lane.await.unwrap(), "valid");
    let releases = get_path(&api.router, "/v1/pipelines/sales/releases").await;
    expect![[r#"
        {
          "epoch": 7,
          "releases": [
            {
              "digest": "…",
              "generation": 1,
              "module": "valid-sale",
              "stage": "valid",
              "state_version": 0
            },
            {
              "digest": "…",
              "generation": 1,
              "module": "revenue",
              "stage": "revenue",
              "state_version": 1
            }
          ]
        }"#]]
    .assert_eq(&without_digests(releases.json()));
}

#[tokio::test]
async fn a_release_that_cannot_be_is_refused_with_its_reason() {
    let api = api();
    for name in ["valid-sale", "revenue", "stats"] {
        api.fixture.modules.put(name, guest(name)).await.unwrap();
    }
    let refused = async |body: &str, why: Expect| {
        why.assert_eq(&release(&api.router, body).await.failure());
    };
    refused(
        r#"{"stage":"other","module":"valid-sale"}"#,
        expect![[
            r#"404 unknown_stage: pipeline `sales` has no stage `other`: it has `valid`, `revenue`"#
        ]],
    )
    .await;
    refused(
        r#"{"stage":"valid","module":"other"}"#,
        expect![
            "404 unknown_module: there is no module `other` in memory://store; upload it first"
        ],
    )
    .await;
    refused(
        r#"{"stage":"valid","module":"valid-sale","version":9}"#,
        expect!["404 unknown_module: module `valid-sale` has no version 9; its newest is 1"],
    )
    .await;
    refused(
        r#"{"stage":"valid","module":"valid-sale","version":"latest"}"#,
        expect!["422 module_version: `latest` is not a version of a module: write its number, or at least 6 digits of its digest"],
    )
    .await;
    refused(r#"{"stage":"valid","module":"revenue"}"#, expect![[r#"422 module_refused: stage `valid`: plugin `revenue` is of kind aggregate, the stage of kind filter; name another plugin, or make the stage `kind = "aggregate"`"#]]).await;
    refused(r#"{"stage":"revenue","module":"stats"}"#, expect![[r#"409 incompatible: module `stats` cannot take over stage `revenue`: plugin `stats` makes other columns than the one that runs: `count` (int64) instead of `revenue` (decimal(18,2)); tables and later stages depend on them, so give it a new pipeline"#]]).await;
    refused(r#"{"stage":"valid","modul":"valid-sale"}"#, expect![[r#"422 bad_body: the body is not what it should be: unknown field `modul`, expected one of `stage`, `module`, `version` at line 1 column 24; it looks like {"stage": "valid", "module": "valid-sale", "version": 2}; without a version the newest is taken"#]]).await;
    refused(r#"{"stage":"valid""#, expect![[r#"422 bad_body: the body is not what it should be: EOF while parsing an object at line 1 column 16; it looks like {"stage": "valid", "module": "valid-sale", "version": 2}; without a version the newest is taken"#]]).await;
    api.fixture.publish(|status| status.phase = Phase::Halted);
    refused(
        r#"{"stage":"valid","module":"valid-sale"}"#,
        expect![[r#"409 not_running: pipeline `sales` is halted: there is nothing to activate a module in"#]],
    )
    .await;
    api.fixture.publish(|status| status.phase = Phase::Opening);
    refused(
        r#"{"stage":"valid","module":"valid-sale"}"#,
        expect![[r#"503 not_ready: pipeline `sales` is opening: try again when it runs"#]],
    )
    .await;
    let giant = format!(r#"{{"stage":"{}"}}"#, "x".repeat(JSON_BYTES_MAX));
    assert_eq!(release(&api.router, &giant).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

/// The lane decides last: each of its refusals has the status that docs/http.md gives it.
#[tokio::test]
async fn what_the_lane_refuses_has_the_status_of_its_reason() {
    let mut api = api();
    api.fixture.modules.put("valid-sale", another(&guest("valid-sale"))).await.unwrap();
    let mut commands = std::mem::replace(&mut api.fixture.commands, mpsc::channel(1).1);
    let trap = PluginError::Trap("unreachable".to_owned());
    let refusals = [
        (
            Refusal::NoStage("valid".to_owned()),
            expect![[
                r#"404 unknown_stage: pipeline `sales` has no stage `valid`: it has `valid`, `revenue`"#
            ]],
        ),
        (
            Refusal::Unfit(PlanError::NoModule("valid".to_owned())),
            expect![
                "409 incompatible: module `valid-sale` cannot take over stage `valid`: stage `valid` has no module"
            ],
        ),
        (
            Refusal::Migration { module: "valid-sale".to_owned(), from: 1, source: trap },
            expect![
                "409 incompatible: module `valid-sale` cannot take over stage `valid`: `migrate` of module `valid-sale` failed on a state of version 1: trap: unreachable; what runs goes on"
            ],
        ),
        (
            Refusal::NotOpen(Awaited::Modules),
            expect![
                "503 not_ready: pipeline `sales` waits for its modules: upload them, and it begins; try again when it runs"
            ],
        ),
        (
            Refusal::NotOpen(Awaited::Source),
            expect![
                "503 not_ready: pipeline `sales` still waits for its source; try again when it runs"
            ],
        ),
        (
            Refusal::NotOpen(Awaited::Standby),
            expect![
                "503 not_ready: pipeline `sales` stands by while another instance runs it; try again when it runs"
            ],
        ),
        (
            Refusal::NotOpen(Awaited::NextLife),
            expect![
                "503 not_ready: pipeline `sales` has failed and waits to be opened again; try again when it runs"
            ],
        ),
        (
            Refusal::Ended,
            expect![
                "409 not_running: pipeline `sales` has come to its end: there is nothing to activate a module in"
            ],
        ),
    ];
    for (refusal, why) in refusals {
        let lane = async {
            let Some(Command::Activate { reply, .. }) = commands.recv().await else { panic!() };
            reply.send(Err(refusal)).unwrap();
        };
        let asked = release(&api.router, r#"{"stage":"valid","module":"valid-sale"}"#);
        let ((), answer) = tokio::join!(lane, asked);
        why.assert_eq(&answer.failure());
    }
}

fn results(epoch: u64) -> Arc<LiveResults> {
    Arc::new(LiveResults {
        pipeline: "sales".to_owned(),
        uncommitted_epoch: epoch,
        columns: vec!["store".to_owned(), "revenue".to_owned()],
        key_columns: 1,
        rows: vec![vec!["store-1\n".into(), "12.50".into()]],
        rows_left_out: 0,
    })
}

#[tokio::test]
async fn live_results_come_as_events_and_a_slow_client_is_told_what_it_missed() {
    let api = api();
    let request = request(Method::GET, "/v1/pipelines/sales/live").body(Body::empty()).unwrap();
    let Ok(response) = TowerToHyperService::new(api.router.clone()).call(request).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    // The channel of the fixture holds four.
    for epoch in 8..14 {
        api.fixture.live.send(results(epoch)).unwrap();
    }
    let mut events = response.into_body().into_data_stream();
    let mut text = String::new();
    for _ in 0..2 {
        let event = events.next().await.unwrap().unwrap();
        text += std::str::from_utf8(&event).unwrap();
    }
    expect![[r#"
        event: missed
        data: {"events":2}

        event: results
        data: {"pipeline":"sales","uncommitted_epoch":10,"columns":["store","revenue"],"key_columns":1,"rows":[["store-1\n","12.50"]],"rows_left_out":0}

    "#]].assert_eq(&text);
    api.shutdown.cancel();
    let rest = tokio::time::timeout(Duration::from_secs(60), events.count()).await;
    rest.expect("a live view does not hold the server up");
}

#[tokio::test]
async fn readiness_names_every_pipeline_that_does_not_work() {
    let api = api();
    let ready = get_path(&api.router, "/health/ready").await;
    assert_eq!(
        (ready.status, ready.text.as_str()),
        (StatusCode::OK, r#"{"ready":true,"reasons":[]}"#)
    );
    api.fixture.publish(|status| {
        status.phase = Phase::Paused;
        status.problem = Some("store `data` is full".to_owned());
    });
    let paused = get_path(&api.router, "/health/ready").await;
    assert_eq!(paused.status, StatusCode::SERVICE_UNAVAILABLE);
    expect![[r#"{"ready":false,"reasons":["pipeline `sales` is paused: store `data` is full"]}"#]]
        .assert_eq(&paused.text);
    api.fixture.publish(|status| (status.phase, status.problem) = (Phase::Finished, None));
    assert_eq!(get_path(&api.router, "/health/ready").await.status, StatusCode::OK);
    assert_eq!(get_path(&api.router, "/health/live").await.text, "live\n");
}

#[tokio::test]
async fn a_pipeline_whose_thread_hangs_is_not_alive_and_one_that_stands_by_is() {
    let api = api();
    api.fixture.publish(|status| status.phase = Phase::Standby);
    api.fixture.clock.advance(Duration::from_secs(299));
    assert_eq!(get_path(&api.router, "/health/live").await.status, StatusCode::OK);
    let ready = get_path(&api.router, "/health/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);

    api.fixture.clock.advance(Duration::from_secs(1));
    let live = get_path(&api.router, "/health/live").await;
    assert_eq!(live.status, StatusCode::SERVICE_UNAVAILABLE);
    expect!["pipeline `sales` is standing by and has not passed its loop for 300 s\n"]
        .assert_eq(&live.text);

    api.fixture.pulse.beat();
    assert_eq!(get_path(&api.router, "/health/live").await.status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_what_prometheus_asks_for() {
    let api = api();
    let page = get_path(&api.router, "/metrics").await;
    assert_eq!(page.headers["content-type"], Metrics::CONTENT_TYPE);
    assert!(page.text.contains("sluicegate_epoch{pipeline=\"sales\"} 7.0\n"), "{}", page.text);
}
