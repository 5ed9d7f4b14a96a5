//! Rates, the last minutes and the last commits, as a client is told.

use expect_test::expect;

use super::*;
use crate::handle::fixture::{another, guest};
use sluicegate_chain::fates::Fates;
use sluicegate_chain::record::Epoch;
use sluicegate_engine::counters::{Activated, Commit};
use sluicegate_model::module::ModuleDigest;

impl Api {
    /// Time passes, and the sampler takes its sample.
    fn after(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.shared.sample();
    }

    fn reads(&self, read: u64) {
        let fates = Fates { read, late: read / 4, accepted: read - read / 4, ..Fates::default() };
        self.fixture.handle.metrics().records.add(&fates);
        let valid = self.fixture.handle.metrics().running("valid").unwrap();
        valid.given.add(read);
        valid.cpu.add_nanos(read * 3_000);
    }
}

#[tokio::test]
async fn both_views_of_a_pipeline_have_rates_once_there_are_two_samples() {
    let api = api();
    api.after(0);
    let before = get_path(&api.router, "/v1/pipelines").await.json();
    assert_eq!(before["pipelines"][0]["rates"]["read"], Value::Null);
    assert_eq!(before["pipelines"][0]["late_a_minute"], Value::Null);
    api.reads(40);
    api.after(2);
    let list = get_path(&api.router, "/v1/pipelines").await.json();
    let status = get_path(&api.router, "/v1/pipelines/sales").await.json();
    for line in [&list["pipelines"][0], &status] {
        assert_eq!(line["rates"]["read"], 20.0);
        assert_eq!(line["rates"]["written_rows"], 0.0);
        assert_eq!(line["late_a_minute"], 10);
        assert_eq!(line["dead_letters_a_minute"], 0);
    }
    let rates = &status["stages"][0]["rates"];
    assert_eq!((&rates["rows"], &rates["micros_per_row"]), (&20.0.into(), &3.0.into()));
    assert_eq!(status["host"]["started"], "1970-01-01T00:16:44Z");
    assert_eq!(list["host"]["now"], "1970-01-01T00:16:46Z");
}

#[tokio::test]
async fn the_history_goes_on_behind_the_time_that_the_client_has() {
    let api = api();
    for read in [0, 8, 16] {
        api.reads(read);
        api.after(2);
    }
    let history = async |query: &str| {
        get_path(&api.router, &format!("/v1/pipelines/sales/history{query}")).await
    };
    let whole = history("").await.json();
    assert_eq!(whole["interval_seconds"], 2.0);
    assert_eq!(whole["at"], serde_json::json!([1_008.0, 1_010.0]));
    assert_eq!(whole["read"], serde_json::json!([4.0, 8.0]));
    assert_eq!(whole["stages"]["valid"]["micros_per_row"], serde_json::json!([3.0, 3.0]));
    let newer = history("?since=1970-01-01T00:16:48Z").await.json();
    assert_eq!(newer["at"], serde_json::json!([1_010.0]));
    expect!["400 bad_query: `since` is `yesterday`, and is a time such as 2026-11-26T10:00:00Z"]
        .assert_eq(&history("?since=yesterday").await.failure());
    assert!(history("?until=now").await.failure().starts_with("400 bad_query: "));
    let unknown = get_path(&api.router, "/v1/pipelines/sale/history").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn commits_come_newest_first_and_an_activation_is_marked_with_its_version() {
    let api = api();
    let bytes = another(&guest("valid-sale"));
    let stored = api.fixture.modules.put("valid-sale", bytes).await.unwrap();
    let activated = Activated {
        stage: "valid".to_owned(),
        module: "valid-sale".to_owned(),
        digest: stored.digest,
        previous: ModuleDigest([0xab; 32]),
    };
    let commit = |epoch, activated: &[Activated]| Commit {
        epoch: Epoch(epoch),
        at_micros: 1_004_500_000,
        took: Duration::from_millis(80),
        files: 2,
        rows: 30,
        bytes: 4_000,
        messages: 0,
        state_bytes: 500,
        activated: activated.to_vec(),
    };
    let commits = &api.fixture.handle.metrics().commits;
    (1..=70).for_each(|epoch| commits.push(commit(epoch, &[])));
    commits.push(commit(71, &[activated]));
    api.after(0);
    api.after(2);
    let status = get_path(&api.router, "/v1/pipelines/sales").await.json();
    let shown = status["commits"].as_array().unwrap();
    assert_eq!(shown.len(), 60);
    assert_eq!((&shown[0]["epoch"], &shown[59]["epoch"]), (&71.into(), &12.into()));
    expect![[r#"
        {
          "activates": [
            "valid"
          ],
          "at": "1970-01-01T00:16:44.500Z",
          "bytes": 4000,
          "epoch": 71,
          "files": 2,
          "messages": 0,
          "rows": 30,
          "seconds": 0.08,
          "state_bytes": 500
        }"#]]
    .assert_eq(&format!("{:#}", shown[0]));
    assert_eq!(status["limits"][1]["name"], "commit");
    assert_eq!(status["limits"][1]["used"], 0.08);
    let mark = async || {
        let shown = get_path(&api.router, "/v1/pipelines/sales/history").await.json();
        shown["marks"][0].clone()
    };
    while mark().await["version"] != 1 {
        tokio::task::yield_now().await;
    }
    let mark = mark().await;
    assert_eq!((&mark["kind"], &mark["epoch"]), (&"activation".into(), &71.into()));
    assert_eq!(mark["digest"], stored.digest.to_string());
}
