//! Status, releases, live results, health.

use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;
use expect_test::{Expect, expect};
use futures::StreamExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::api::shape::{Grouping, GroupingKind};
use crate::handle::fixture::{another, guest};
use crate::http::shape::shape;
use sluicegate_chain::record::{Activation, Epoch};
use sluicegate_engine::lane::{Awaited, Command, PlanError, Refusal};
use sluicegate_engine::live::{LiveResults, LiveRows};
use sluicegate_engine::status::Phase;
use sluicegate_model::time::{EventTime, Watermark};
use sluicegate_model::window::WindowKind;
use sluicegate_pipeline::{KeyedConfig, Pipeline};
use sluicegate_sandbox::plugin::PluginError;

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
async fn the_status_tells_memory_by_kind_and_whether_there_is_a_limit() {
    let api = api();
    let memory = |status: &Value| status["memory"].to_string();
    let status = get_path(&api.router, "/v1/pipelines/sales").await.json();
    expect![[
        r#"{"compaction":0,"copy":0,"in_flight":0,"input":7340032,"limit":67108864,"plugins":1048576,"staged":4096,"state":120,"used":8392824}"#
    ]]
    .assert_eq(&memory(&status));
    api.fixture.publish(|status| status.memory = None);
    let status = get_path(&api.router, "/v1/pipelines/sales").await.json();
    assert_eq!(memory(&status), "null");
}

#[tokio::test]
async fn the_status_tells_positions_watermark_and_lag() {
    let api = api();
    let mut status = get_path(&api.router, "/v1/pipelines/sales").await.json();
    // Each has a test of its own.
    let parts =
        ["shape", "stages", "limits", "commits", "rates", "host", "table_logs", "memory", "fetch"];
    for part in parts {
        assert!(status.as_object_mut().unwrap().remove(part).is_some(), "{part}");
    }
    expect![[r#"
        {
          "dead_letters": [],
          "dead_letters_a_minute": null,
          "epoch": 7,
          "input_ended": false,
          "lag": 5,
          "late_a_minute": null,
          "leadership": {
            "leader": null,
            "role": "leader",
            "since": "1970-01-01T00:00:00Z",
            "term": 1,
            "took_over": null,
            "url": null
          },
          "name": "sales",
          "note": null,
          "open_groups": 3,
          "partitions": [
            {
              "end_offset": 15,
              "holds_watermark": true,
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
          "state_bytes": 120,
          "turns": 9,
          "watermark": "1970-01-01T00:16:40Z",
          "watermark_delay_seconds": 4.0
        }"#]]
    .assert_eq(&format!("{status:#}"));
    let list = get_path(&api.router, "/v1/pipelines").await.json();
    assert_eq!(list["pipelines"][0]["lag"], 5);
    assert_eq!(list["host"]["started"], "1970-01-01T00:16:44Z");
    let unknown = get_path(&api.router, "/v1/pipelines/sale").await;
    expect![[r#"404 unknown_pipeline: there is no pipeline `sale`: this host runs `sales`"#]]
        .assert_eq(&unknown.failure());
}

#[tokio::test]
async fn the_status_tells_who_fetches_and_why() {
    let fetch = get_path(&api().router, "/v1/pipelines/sales").await.json()["fetch"].take();
    expect![[r#"{"because":"broker `kafka:9092` cannot be used","by":"librdkafka"}"#]]
        .assert_eq(&fetch.to_string());
}

#[tokio::test]
async fn the_status_tells_how_far_the_logs_of_tables_are() {
    let status = get_path(&api().router, "/v1/pipelines/sales").await.json();
    let behind = serde_json::json!([{
        "table": "revenue", "version": 41, "epochs_behind": 2, "problem": "the store is away",
        "compacted_files": 100, "compacted_into": 2, "compaction_problem": null,
    }]);
    assert_eq!(status["table_logs"], behind);
}

#[tokio::test]
async fn a_stage_shows_what_its_module_has_done_and_its_number_in_the_store() {
    let api = api();
    let metrics = api.fixture.handle.metrics();
    metrics.stage("valid").unwrap().activated(1_002_000_000);
    let valid = metrics.running("valid").unwrap();
    valid.given.add(10);
    valid.dropped.add(3);
    valid.rejects.add(1);
    valid.calls.add(2);
    valid.cpu.add(Duration::from_millis(5));
    valid.memory_bytes.set(65_536);
    api.fixture.modules.put("valid-sale", guest("valid-sale")).await.unwrap();
    let stage = async |number: usize| {
        get_path(&api.router, "/v1/pipelines/sales").await.json()["stages"][number].clone()
    };
    expect![[r#"
        {
          "activated": "1970-01-01T00:16:42Z",
          "calls": 2,
          "cpu_seconds": 0.005,
          "deadlines": 0,
          "digest": "…",
          "dropped": 3,
          "generation": 1,
          "kind": "filter",
          "memory_bytes": 65536,
          "module": "valid-sale",
          "rates": {
            "dropped": null,
            "micros_per_row": null,
            "rows": null
          },
          "rejects": 1,
          "rows": 10,
          "stage": "valid",
          "state_version": 0,
          "traps": 0,
          "version": null
        }"#]]
    .assert_eq(&without_digests(stage(0).await));
    while stage(0).await["version"] != 1 {
        // It is looked up beside the requests.
        tokio::task::yield_now().await;
    }
    assert_eq!(stage(1).await["version"], Value::Null, "nobody uploaded it");
    // Counts of a module that is not the one that is shown are not shown.
    api.fixture.publish(|status| status.modules[0].digest.0[0] ^= 1);
    assert_eq!(stage(0).await["rows"], 0);
}

#[tokio::test]
async fn a_module_that_was_not_in_the_store_is_looked_for_again_after_a_while() {
    let api = api();
    let version = async || {
        let json = get_path(&api.router, "/v1/pipelines/sales").await.json();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        json["stages"][0]["version"].clone()
    };
    assert_eq!(version().await, Value::Null);
    api.fixture.modules.put("valid-sale", guest("valid-sale")).await.unwrap();
    for _ in 0..3 {
        assert_eq!(version().await, Value::Null, "the store is not asked at each request");
    }
    api.clock.advance(Duration::from_secs(30));
    while version().await != 1 {}
}

#[tokio::test]
async fn limits_say_how_much_of_them_is_used() {
    let api = api();
    api.fixture.publish(|status| status.state_bytes = 1 << 29);
    api.fixture.handle.metrics().running("revenue").unwrap().memory_bytes.set(1 << 20);
    let json = get_path(&api.router, "/v1/pipelines/sales").await.json();
    let limits: Vec<_> = json["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|limit| {
            let of = |name: &str| limit[name].clone();
            format!("{} {} of {} {}", of("name"), of("used"), of("limit"), of("unit"))
        })
        .collect();
    expect![[r#"
        "state" 536870912.0 of 1073741824.0 "bytes"
        "commit" 0.0 of 10.0 "seconds"
        "memory of valid" 0.0 of 67108864.0 "bytes"
        "memory of revenue" 1048576.0 of 67108864.0 "bytes"
        "memory of the process" 8392824.0 of 67108864.0 "bytes""#]]
    .assert_eq(&limits.join("\n"));
}

#[tokio::test]
async fn the_shape_is_that_of_the_pipeline_file() {
    let api = api();
    let shape = get_path(&api.router, "/v1/pipelines/sales").await.json()["shape"].clone();
    expect![[r#"
        {
          "grouping": {
            "event_time_column": "ts",
            "gap_seconds": null,
            "keys": [
              "store"
            ],
            "kind": "tumbling",
            "lateness_seconds": 0.0,
            "size_seconds": 1.0,
            "slide_seconds": null
          },
          "sinks": [],
          "source": {
            "detail": "files of sales, 1 open",
            "name": "sales",
            "type": "files"
          },
          "stages": [
            {
              "kind": "filter",
              "stage": "valid"
            },
            {
              "kind": "aggregate",
              "stage": "revenue"
            }
          ]
        }"#]]
    .assert_eq(&format!("{shape:#}"));
}

#[test]
fn a_grouping_has_the_lengths_of_its_kind_and_a_raw_pipeline_has_none() {
    let fixture = fixture::sales();
    let mut config = Pipeline::clone(&fixture.handle.config);
    let grouping = |config: &Pipeline| shape(config, 2).grouping;
    let mut lengths = |kind: WindowKind| {
        config.window.as_mut().unwrap().kind = kind;
        let grouping = grouping(&config).unwrap();
        let Grouping { kind, size_seconds, slide_seconds, gap_seconds, .. } = grouping;
        (kind, [size_seconds, slide_seconds, gap_seconds])
    };
    let (size, slide, offset) = (60_000_000, 10_000_000, 0);
    let sliding = lengths(WindowKind::Sliding { size, slide, offset });
    assert_eq!(sliding, (GroupingKind::Sliding, [Some(60.0), Some(10.0), None]));
    let session = lengths(WindowKind::Session { gap: 1_500_000, max_length: 1_000_000_000 });
    assert_eq!(session, (GroupingKind::Session, [None, None, Some(1.5)]));
    let global = lengths(WindowKind::Global { trigger: 1 });
    assert_eq!(global, (GroupingKind::Global, [None; 3]));
    let window = config.window.take().unwrap();
    assert_eq!(grouping(&config), None);
    config.keyed = Some(KeyedConfig { key: window.key, ttl: None, stage: window.aggregate });
    let keyed = grouping(&config).unwrap();
    assert_eq!(
        (keyed.kind, &*keyed.keys, keyed.lateness_seconds),
        (GroupingKind::Keyed, &["store".to_owned()][..], None)
    );
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
            "404 unknown_module: there is no module `other` in memory://store; upload it with `sluicegate plugin push other FILE`"
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
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let rows = [("store", text("store-1\n")), ("revenue", text("12.50"))];
    let rows = RecordBatch::try_from_iter(rows).unwrap();
    Arc::new(LiveResults {
        pipeline: "sales".to_owned(),
        uncommitted_epoch: epoch,
        columns: vec!["store".to_owned(), "revenue".to_owned()],
        key_columns: 1,
        rows: LiveRows::last_of(vec![rows], 1),
        rows_left_out: 0,
        rows_gone: 0,
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
async fn a_calm_live_view_does_not_hurry_the_lane() {
    let api = api();
    let open = async |query: &str| {
        let path = format!("/v1/pipelines/sales/live{query}");
        let request = request(Method::GET, &path).body(Body::empty()).unwrap();
        let Ok(response) = TowerToHyperService::new(api.router.clone()).call(request).await;
        response
    };
    let calm = open("?calm=true").await;
    assert_eq!(calm.status(), StatusCode::OK);
    assert!(!api.fixture.haste.is_claimed());
    let hasty = open("").await;
    assert!(api.fixture.haste.is_claimed());
    drop(hasty);
    assert!(!api.fixture.haste.is_claimed(), "it has gone");
    assert_eq!(open("?calm=perhaps").await.status(), StatusCode::BAD_REQUEST);
    drop(calm);
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
    assert_eq!(ready.status, StatusCode::OK, "it works when it is its turn");

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

#[tokio::test]
async fn activations_are_told_newest_first_with_the_numbers_of_the_modules() {
    let api = api();
    let path = "/v1/pipelines/sales/activations";
    assert_eq!(get_path(&api.router, path).await.text, r#"{"activations":[]}"#);
    let first = api.fixture.modules.put("valid-sale", guest("valid-sale")).await.unwrap();
    let second = api.fixture.modules.put("other", another(&guest("valid-sale"))).await.unwrap();
    let activation = |epoch, name: &str, digest, previous_name: &str, previous| Activation {
        epoch: Epoch(epoch),
        at: EventTime(1_000_000 * i64::try_from(epoch).unwrap()),
        stage: "valid".to_owned(),
        name: name.to_owned(),
        digest,
        previous_name: previous_name.to_owned(),
        previous,
    };
    let there = activation(5, "other", second.digest, "valid-sale", first.digest);
    let back = activation(7, "valid-sale", first.digest, "other", second.digest);
    api.fixture.publish(|status| status.activations = [there, back].into());
    // Numbers are looked up beside the answer.
    let mut told = get_path(&api.router, path).await.json();
    while told["activations"][0]["version"].is_null()
        || told["activations"][0]["previous_version"].is_null()
        || told["activations"][1]["version"].is_null()
    {
        tokio::task::yield_now().await;
        told = get_path(&api.router, path).await.json();
    }
    assert_eq!(told["activations"][0]["digest"], first.digest.to_string());
    expect![[r#"
        {
          "activations": [
            {
              "at": "1970-01-01T00:00:07Z",
              "digest": "…",
              "epoch": 7,
              "module": "valid-sale",
              "previous": "…",
              "previous_module": "other",
              "previous_version": 1,
              "stage": "valid",
              "version": 1
            },
            {
              "at": "1970-01-01T00:00:05Z",
              "digest": "…",
              "epoch": 5,
              "module": "other",
              "previous": "…",
              "previous_module": "valid-sale",
              "previous_version": 1,
              "stage": "valid",
              "version": 1
            }
          ]
        }"#]]
    .assert_eq(&without_digests(told));
}
