//! Open windows over HTTP: the lane is asked, and answers in the form that the client takes.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use expect_test::expect;

use super::*;
use sluicegate_chain::record::Epoch;
use sluicegate_engine::lane::{Awaited, Look, OpenWindows, Refusal};
use sluicegate_engine::status::Phase;
use sluicegate_model::time::{EventTime, Watermark};

const PATH: &str = "/v1/pipelines/sales/windows";

fn open() -> OpenWindows {
    let store: ArrayRef = Arc::new(StringArray::from(vec!["<b>", "s-2"]));
    let sales: ArrayRef = Arc::new(Int64Array::from(vec![3, 4]));
    OpenWindows {
        uncommitted_epoch: Epoch(8),
        watermark: Watermark::at(EventTime(1_000_000)),
        rows: RecordBatch::try_from_iter([("store", store), ("sales", sales)]).unwrap(),
        key_columns: 1,
        groups: 9,
        left_out: 7,
    }
}

/// Asks, and answers as a lane.
async fn ask(
    api: &mut Api,
    query: &str,
    accept: &str,
    answer: Result<OpenWindows, Refusal>,
) -> (axum::http::Response<Body>, Look) {
    let request = request(Method::GET, &format!("{PATH}{query}")).header("accept", accept);
    let request = request.body(Body::empty()).unwrap();
    let asking = tokio::spawn(TowerToHyperService::new(api.router.clone()).call(request));
    let Look { asked, reply } = api.fixture.looks.recv().await.unwrap();
    reply.send(answer).unwrap();
    let Ok(response) = asking.await.unwrap();
    (response, Look { asked, reply: tokio::sync::oneshot::channel().0 })
}

async fn body(response: axum::http::Response<Body>) -> Vec<u8> {
    to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()
}

#[tokio::test]
async fn open_windows_come_as_json_arrow_and_parquet() {
    let mut api = api();
    let (json, look) = ask(&mut api, "?limit=2&key=s", "*/*", Ok(open())).await;
    assert_eq!((look.asked.rows, look.asked.key.as_deref()), (2, Some("s")));
    let json: Value = serde_json::from_slice(&body(json).await).unwrap();
    expect![[r#"
        {
          "columns": [
            {
              "name": "store",
              "type": "string"
            },
            {
              "name": "sales",
              "type": "int64"
            }
          ],
          "groups": 9,
          "key_columns": 1,
          "pipeline": "sales",
          "rows": [
            [
              "<b>",
              3
            ],
            [
              "s-2",
              4
            ]
          ],
          "rows_left_out": 7,
          "uncommitted_epoch": 8,
          "watermark": "1970-01-01T00:00:01Z"
        }"#]]
    .assert_eq(&format!("{json:#}"));
    for (form, begins) in [("arrow.stream", &b"\xff\xff\xff\xff"[..]), ("parquet", b"PAR1")] {
        let accept = format!("text/html;q=0.1, application/vnd.apache.{form}");
        let (answer, look) = ask(&mut api, "", &accept, Ok(open())).await;
        assert_eq!((look.asked.rows, look.asked.key), (200, None));
        assert_eq!(answer.headers()["content-type"], format!("application/vnd.apache.{form}"));
        assert_eq!(answer.headers()["x-sluicegate-rows-left-out"], "7");
        assert!(body(answer).await.starts_with(begins), "{form}");
    }
}

#[tokio::test]
async fn a_pipeline_that_cannot_answer_says_why() {
    let mut api = api();
    let (refused, _) = ask(&mut api, "", "*/*", Err(Refusal::NotOpen(Awaited::NextLife))).await;
    assert_eq!(refused.status(), 503);
    let text = String::from_utf8(body(refused).await).unwrap();
    assert!(text.contains("`sales` has failed and waits to be opened again: its open"), "{text}");
    let request = request(Method::GET, PATH).header("accept", "text/html");
    let html = send(&api.router, request.body(Body::empty()).unwrap()).await;
    assert!(html.failure().starts_with("406 not_acceptable: open windows come as"), "{html:?}");
    let limit = get_path(&api.router, &format!("{PATH}?limit=2001")).await.failure();
    assert_eq!(limit, "400 bad_query: `limit=2001` is out of range: 1 to 2000");
    api.fixture.publish(|status| status.phase = Phase::Halted);
    let halted = get_path(&api.router, PATH).await;
    assert_eq!(
        halted.failure(),
        "409 not_running: pipeline `sales` is halted: it has no open windows to show"
    );
    assert!(!halted.headers.contains_key("retry-after"), "it does not run again by itself");
    api.fixture.publish(|status| status.phase = Phase::Standby);
    let standby = get_path(&api.router, PATH).await.failure();
    assert_eq!(
        standby,
        "503 not_ready: pipeline `sales` is standing by: its open windows can be seen when it runs"
    );
}
