//! Dead letters and late rows over HTTP.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use expect_test::expect;

use super::*;
use crate::committed::fixture::commit;
use sluicegate_chain::record::Epoch;
use sluicegate_connect::sink::dead_letters::DeadLetter;
use sluicegate_connect::sink::letter::Letter;
use sluicegate_engine::lately::{LateRow, Lately, ReasonCount, Uncommitted};
use sluicegate_model::dead_letter::DeadLetterKind;
use sluicegate_model::time::EventTime;

const MARKUP: &[u8] = b"<script>alert(1)</script>\x1b[2J";

fn letter(offset: i64) -> DeadLetter<'static> {
    let kind = if offset % 2 == 0 { DeadLetterKind::Rejected } else { DeadLetterKind::Decode };
    let stage = if offset % 2 == 0 { "valid" } else { "sluicegate" };
    DeadLetter {
        topic: Some("sales"),
        partition: Some(0),
        offset: Some(offset),
        value: Some(MARKUP),
        at: EventTime(1_700_000_000_000_000),
        ..DeadLetter::of(stage, kind, "no \u{1b}[2J price")
    }
}

/// Letters 0 to 3 are committed, 4 and 5 are not.
async fn with_letters() -> Api {
    let api = api();
    let storage = &api.fixture.storage;
    commit(storage, 6, &[&[letter(0), letter(1)]]).await;
    commit(storage, 7, &[&[letter(2), letter(3)]]).await;
    let open = |offset: i64| {
        let row = Letter::of(&letter(offset));
        Arc::new(Uncommitted { epoch: Epoch(8), number: offset as u64, row })
    };
    let reason = ReasonCount {
        kind: "decode".to_owned(),
        stage: "sluicegate".to_owned(),
        reason: "no price".to_owned(),
        count: 3,
    };
    api.fixture.publish(|status| {
        status.lately = Arc::new(Lately {
            letters: vec![open(5), open(4)],
            letters_left_out: 9,
            reasons: vec![reason],
            ..Lately::default()
        });
    });
    api
}

async fn letters(api: &Api, query: &str) -> Value {
    get_path(&api.router, &format!("/v1/pipelines/sales/dead-letters{query}")).await.json()
}

fn offsets(answer: &Value) -> Vec<i64> {
    answer["rows"].as_array().unwrap().iter().map(|row| row["offset"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn dead_letters_come_newest_first_from_what_is_open_and_then_from_the_table() {
    let api = with_letters().await;
    let all = letters(&api, "").await;
    assert_eq!(offsets(&all), [5, 4, 3, 2, 1, 0]);
    assert_eq!((&all["left_out"], &all["note"]), (&9.into(), &Value::Null));
    assert_eq!(all["table"], "memory://store/dead_letters");
    assert_eq!(all["reasons"][0]["count"], 3);
    expect![[r#"
        {
          "at": "2023-11-14T22:13:20Z",
          "committed": false,
          "digest": null,
          "epoch": 8,
          "headers": null,
          "headers_left_out": 0,
          "key": null,
          "kind": "decode",
          "offset": 5,
          "partition": 0,
          "reason": "no \\u{1b}[2J price",
          "record": {
            "bytes": 29,
            "cut": false,
            "text": "<script>alert(1)</script>\u001b[2J"
          },
          "record_timestamp": null,
          "rows": null,
          "stage": "sluicegate",
          "stream": "sales",
          "trap": null
        }"#]]
    .assert_eq(&format!("{:#}", all["rows"][0]));
    let mut of_table = all["rows"][2].clone();
    assert_eq!((&of_table["epoch"], &of_table["committed"]), (&7.into(), &true.into()));
    for (field, value) in [("epoch", 8.into()), ("committed", false.into()), ("offset", 5.into())] {
        of_table[field] = value;
    }
    assert_eq!(of_table, all["rows"][0], "a letter reads the same from both");
}

#[tokio::test]
async fn a_page_goes_on_where_the_one_before_ended() {
    let api = with_letters().await;
    for limit in 1..8 {
        let (mut seen, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let page = letters(&api, &query).await;
            seen.extend(offsets(&page));
            let Some(older) = page["older"].as_str() else { break };
            query = format!("?limit={limit}&before={older}");
        }
        assert_eq!(seen, [5, 4, 3, 2, 1, 0], "{limit} at a time");
    }
    // Meanwhile epoch 8 was committed: a page that began before goes on in the table.
    commit(&api.fixture.storage, 8, &[&[letter(4), letter(5)]]).await;
    let first = letters(&api, "?limit=1").await;
    api.fixture.publish(|status| {
        status.epoch = Some(Epoch(8));
        status.lately = Arc::default();
    });
    let before = first["older"].as_str().unwrap();
    assert_eq!(offsets(&letters(&api, &format!("?before={before}")).await), [5, 4, 3, 2, 1, 0]);
}

#[tokio::test]
async fn only_letters_of_a_kind_and_a_stage_come_if_they_are_asked_for() {
    let api = with_letters().await;
    assert_eq!(offsets(&letters(&api, "?kind=decode").await), [5, 3, 1]);
    assert_eq!(offsets(&letters(&api, "?stage=valid&kind=rejected").await), [4, 2, 0]);
    assert_eq!(offsets(&letters(&api, "?stage=valid&kind=decode").await), [0_i64; 0]);
    assert_eq!(offsets(&letters(&api, "?kind=&stage=").await).len(), 6, "an empty filter is none");
    for (query, says) in [
        ("?kind=odd", "400 bad_query: there is no kind `odd`: there are decode, event_time, "),
        ("?limit=0", "400 bad_query: `limit=0` is out of range: 1 to 500"),
        ("?limit=501", "400 bad_query: `limit=501` is out of range: 1 to 500"),
        ("?limit=x", "400 bad_query: Failed to deserialize query string: limit: invalid digit"),
        ("?before=there", "400 bad_query: `before=there` is not a place: take it from `older` of"),
        ("?knd=decode", "400 bad_query: Failed to deserialize query string: knd: unknown field"),
    ] {
        for path in ["dead-letters", "late-rows"] {
            if path == "late-rows" && query.contains("nd=") {
                continue;
            }
            let path = format!("/v1/pipelines/sales/{path}{query}");
            let failure = get_path(&api.router, &path).await.failure();
            assert!(failure.starts_with(says), "{path}: {failure}");
        }
    }
}

#[tokio::test]
async fn late_rows_show_their_columns_and_why_they_are_late() {
    let api = api();
    let empty = get_path(&api.router, "/v1/pipelines/sales/late-rows").await.json();
    assert_eq!(empty["rows"], serde_json::json!([]));
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text.to_owned()])) };
    let time = |micros| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC"))
    };
    let rows = RecordBatch::try_from_iter([
        ("store", text(&"s".repeat(5_000))),
        ("window_start", time(0)),
        ("window_end", time(1_000_000)),
        ("watermark", time(3_000_000)),
        ("late_reason", text("2 s past the end")),
    ]);
    let row = LateRow::read(&rows.unwrap(), 0);
    api.fixture.publish(|status| {
        let late = vec![Arc::new(Uncommitted { epoch: Epoch(8), number: 0, row })];
        status.lately = Arc::new(Lately { late, late_left_out: 2, ..Lately::default() });
    });
    let mut answer = get_path(&api.router, "/v1/pipelines/sales/late-rows").await.json();
    let store = answer["rows"][0]["values"][0].take();
    assert_eq!(store.as_str().unwrap().chars().count(), 1_025, "cut, with a mark");
    expect![[r#"
        {
          "columns": [
            "store"
          ],
          "left_out": 2,
          "note": null,
          "older": null,
          "pipeline": "sales",
          "rows": [
            {
              "committed": false,
              "epoch": 8,
              "late_reason": "2 s past the end",
              "values": [
                null
              ],
              "watermark": "1970-01-01T00:00:03Z",
              "window_end": "1970-01-01T00:00:01Z",
              "window_start": "1970-01-01T00:00:00Z"
            }
          ],
          "table": "memory://store/late"
        }"#]]
    .assert_eq(&format!("{answer:#}"));
}
