//! Uploads: what is refused, and that nothing of it is kept.

use bytes::Bytes;
use expect_test::{Expect, expect};
use futures::{StreamExt as _, stream};

use super::*;
use crate::handle::fixture::{another, guest};
use sluicegate_sandbox::module::problem::MODULE_BYTES_MAX;

async fn put(api: &Api, name: &str, body: impl Into<Body>) -> Answer {
    let request = request(Method::PUT, &format!("/v1/modules/{name}"));
    let request = request.header("content-type", "application/wasm");
    send(&api.router, request.body(body.into()).unwrap()).await
}

async fn refused(api: &Api, request: axum::http::request::Builder, body: Body, why: Expect) {
    why.assert_eq(&send(&api.router, request.body(body).unwrap()).await.failure());
    assert_eq!(api.fixture.modules.list().await.unwrap(), [], "something was stored");
}

fn wasm(path: &str) -> axum::http::request::Builder {
    request(Method::PUT, path).header("content-type", "application/wasm")
}

#[tokio::test]
async fn an_upload_is_a_version_and_the_same_bytes_are_the_same_version() {
    let api = api();
    let module = guest("valid-sale");
    let first = put(&api, "valid", module.clone()).await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    let mut facts = first.json();
    facts["digest"] = "…".into();
    facts["uploaded"] = "…".into();
    facts["bytes"] = 0.into();
    facts["plugin"]["sdk"] = "…".into();
    expect![[r#"
        {
          "bytes": 0,
          "digest": "…",
          "name": "valid",
          "plugin": {
            "inputs": [
              {
                "name": "store",
                "nullable": false,
                "type": "string"
              },
              {
                "name": "price",
                "nullable": false,
                "type": "decimal"
              }
            ],
            "kind": "filter",
            "outputs": [],
            "sdk": "…",
            "state_version": 0
          },
          "uploaded": "…",
          "version": 1
        }"#]]
    .assert_eq(&format!("{facts:#}"));
    let again = put(&api, "valid", module.clone()).await;
    assert_eq!((again.status, &again.json()["version"]), (StatusCode::OK, &1.into()));
    let second = put(&api, "valid", another(&module)).await;
    assert_eq!((second.status, &second.json()["version"]), (StatusCode::CREATED, &2.into()));
    put(&api, "revenue", guest("revenue")).await;

    let summary = |answer: &Answer| {
        let modules = answer.json()["modules"].as_array().unwrap().clone();
        let line = |module: &Value| format!("{} {}", module["name"], module["version"]);
        modules.iter().map(line).collect::<Vec<_>>()
    };
    let all = get_path(&api.router, "/v1/modules").await;
    assert_eq!(summary(&all), [r#""revenue" 1"#, r#""valid" 2"#]);
    let versions = get_path(&api.router, "/v1/modules/valid").await;
    assert_eq!(summary(&versions), [r#""valid" 2"#, r#""valid" 1"#]);
    let unknown = get_path(&api.router, "/v1/modules/stats").await;
    expect!["404 unknown_module: there is no module `stats` in memory://store; upload it with `sluicegate plugin push stats FILE`"]
        .assert_eq(&unknown.failure());
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_and_not_stored() {
    let api = api();
    let body = || Body::from("not wasm at all");
    refused(&api, wasm("/v1/modules/valid"), body(), expect![[r#"422 module_refused: plugin `valid`: this is not a WebAssembly module; upload the .wasm file of `cargo build --release --target wasm32-unknown-unknown`"#]]).await;
    let empty = Body::from(&b"\0asm\x01\0\0\0"[..]);
    refused(&api, wasm("/v1/modules/valid"), empty, expect![[r#"422 module_refused: plugin `valid`: the module is not a plugin: it does not export `lifecycle` of sluicegate:plugin@0.1.3 and its worlds `filter`, `map`, `aggregate` and `process`; write it with sluicegate-sdk and its `export!`"#]]).await;
    refused(&api, wasm("/v1/modules/Valid_Sale"), body(), expect![[r#"400 module_name: `Valid_Sale` is not a name for a module: use a-z, 0-9 and `-`, first a letter or digit, at most 63"#]]).await;
    refused(&api, wasm("/v1/modules/%1b%5b2J"), body(), expect![[r#"400 module_name: `\u{1b}[2J` is not a name for a module: use a-z, 0-9 and `-`, first a letter or digit, at most 63"#]]).await;
    let text = request(Method::PUT, "/v1/modules/valid").header("content-type", "text/plain");
    refused(
        &api,
        text,
        body(),
        expect![[
            r#"415 content_type: a module is uploaded with `Content-Type: application/wasm`"#
        ]],
    )
    .await;
    let zipped = wasm("/v1/modules/valid").header("content-encoding", "gzip");
    refused(
        &api,
        zipped,
        body(),
        expect![[r#"415 content_type: a module is uploaded as it is, without `Content-Encoding`"#]],
    )
    .await;
}

#[tokio::test]
async fn an_announced_giant_is_refused_before_a_byte_of_it_has_come() {
    let api = api();
    let never = Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
    let request = wasm("/v1/modules/valid").header("content-length", MODULE_BYTES_MAX + 1);
    refused(
        &api,
        request,
        never,
        expect![[r#"413 too_large: a module has at most 10485760 bytes: build it with --release"#]],
    )
    .await;
}

#[tokio::test]
async fn an_unannounced_giant_is_read_to_the_limit_only() {
    let api = api();
    let chunk = Bytes::from(vec![0; 1 << 20]);
    let chunks = MODULE_BYTES_MAX / chunk.len() + 1;
    // Whoever reads more waits for ever.
    let giant = stream::iter(0..chunks).map(move |_| Ok::<_, io::Error>(chunk.clone()));
    let body = Body::from_stream(giant.chain(stream::pending()));
    let answer = send(&api.router, wasm("/v1/modules/valid").body(body).unwrap()).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn uploads_beyond_the_limit_are_told_to_come_again() {
    let api = api();
    let waiting: Vec<_> = (0..crate::http::modules::UPLOADS_MAX)
        .map(|_| {
            let router = api.router.clone();
            let body = Body::from_stream(stream::pending::<Result<Bytes, io::Error>>());
            let request = wasm("/v1/modules/valid").body(body).unwrap();
            tokio::spawn(async move { send(&router, request).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let answer = put(&api, "valid", guest("valid-sale")).await;
    expect![[r#"429 busy: 4 uploads are under way already: try again in a moment"#]]
        .assert_eq(&answer.failure());
    assert_eq!(answer.headers["retry-after"], "2");
    for upload in &waiting {
        upload.abort();
    }
    for upload in waiting {
        assert!(upload.await.unwrap_err().is_cancelled());
    }
    assert_eq!(put(&api, "valid", guest("valid-sale")).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn each_version_tells_when_it_came_and_where_it_runs() {
    let api = api();
    let module = guest("valid-sale");
    put(&api, "valid", another(&module)).await;
    put(&api, "valid", module).await;
    let versions = get_path(&api.router, "/v1/modules/valid").await.json();
    let summary = |line: &Value| format!("{} {}", line["version"], line["runs"]);
    let lines: Vec<_> = versions["modules"].as_array().unwrap().iter().map(summary).collect();
    assert_eq!(lines, [r#"2 [{"pipeline":"sales","stage":"valid"}]"#, "1 []"]);
    let stored = api.fixture.modules.resolve("valid", None).await.unwrap();
    assert_eq!(versions["modules"][0]["uploaded"], stored.uploaded.to_string());
    let all = get_path(&api.router, "/v1/modules").await.json();
    assert_eq!(all["modules"][0], versions["modules"][0]);
}

#[tokio::test]
async fn a_version_says_what_it_is_by_number_and_by_digest() {
    let api = api();
    let stored = api.fixture.modules.put("revenue", guest("revenue")).await.unwrap();
    let first = get_path(&api.router, "/v1/modules/revenue/1").await;
    assert_eq!(first.status, StatusCode::OK, "{first:?}");
    let details = first.json();
    assert_eq!((&details["version"], &details["plugin"]["kind"]), (&1.into(), &"aggregate".into()));
    assert_eq!(details["runs"][0]["stage"], "revenue");
    let by_digest = format!("/v1/modules/revenue/{}", stored.digest.short());
    assert_eq!(get_path(&api.router, &by_digest).await.json(), details);
    let wrong = async |version: &str| {
        get_path(&api.router, &format!("/v1/modules/revenue/{version}")).await.failure()
    };
    expect!["404 unknown_module: module `revenue` has no version 9; its newest is 1"]
        .assert_eq(&wrong("9").await);
    expect!["422 module_version: `newest` is not a version of a module: write its number, or at least 6 digits of its digest"].assert_eq(&wrong("newest").await);
}

#[tokio::test]
async fn where_a_version_fits_and_why_not_is_said_before_it_is_activated() {
    let api = api();
    for name in ["premium-sale", "revenue-wide"] {
        put(&api, name, guest(name)).await;
    }
    let fits = async |path: &str| {
        let answer = get_path(&api.router, path).await.json();
        let line = |fit: &Value| {
            let [pipeline, stage, verdict] = ["pipeline", "stage", "verdict"].map(|it| &fit[it]);
            format!("{pipeline} {stage} {verdict}: {}\n", fit["reason"])
        };
        answer["fits"].as_array().unwrap().iter().map(line).collect::<String>()
    };
    expect![[r#"
        "sales" "valid" "fits": null
        "sales" "revenue" "refused": "stage `revenue`: plugin `premium-sale` is of kind filter, the stage of kind aggregate; name another plugin, or make the stage `kind = \"filter\"`"
    "#]]
    .assert_eq(&fits("/v1/modules/premium-sale/1/fit").await);
    expect![[r#"
        "sales" "valid" "refused": "stage `valid`: plugin `revenue-wide` is of kind aggregate, the stage of kind filter; name another plugin, or make the stage `kind = \"aggregate\"`"
        "sales" "revenue" "migrates": "its `migrate` takes over the state of version 1"
    "#]]
    .assert_eq(&fits("/v1/modules/revenue-wide/1/fit").await);
}
