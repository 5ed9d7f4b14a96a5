//! The HTTP interface of a host at work: what operators and programs are told, and how refusals read.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use reqwest::blocking::Client;

use crate::harness::host::Host;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{PATIENCE, chain, eventually, seed, services};

fn at_work(label: &str, own_seed: u64) -> (Topic, Place, Host) {
    let topic = Topic::create(services::kafka(), label, 2);
    Sales::new(seed(own_seed), 2).send(&topic, 400);
    let place = Place::local();
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    eventually("all sales are committed", || {
        (chain::head(&place)?.fates().read == 800).then_some(())
    });
    (topic, place, host)
}

#[test]
fn the_status_says_what_the_chain_says() {
    let (_topic, place, host) = at_work("http-status", 61);
    let status = eventually("the host is told the ends of the partitions", || {
        Some(host.get("/v1/pipelines/sales")).filter(|status| !status["lag"].is_null())
    });
    let fates = chain::head(&place).unwrap().fates();
    assert_eq!(status["records"]["read"], fates.read);
    assert_eq!(status["records"]["accepted"], fates.accepted);
    assert_eq!(status["records"]["late"], fates.late);
    assert_eq!(status["records"]["dead_lettered"], fates.dead_lettered);
    assert_eq!(status["phase"], "running");
    assert_eq!(status["lag"], 0);
    assert_eq!(status["partitions"].as_array().unwrap().len(), 2);
    let stages: Vec<_> = status["stages"].as_array().unwrap().iter().collect();
    assert_eq!(stages.len(), 2);
    assert!(stages.iter().all(|stage| stage["digest"].as_str().unwrap().len() == 64), "{stages:?}");
    host.stop();
}

#[test]
fn metrics_count_every_record_by_its_fate() {
    let (_topic, place, host) = at_work("http-metrics", 62);
    let text = reqwest::blocking::get(format!("{}/metrics", host.url)).unwrap().text().unwrap();
    let fates = chain::head(&place).unwrap().fates();
    let counted = |fate: &str| -> f64 {
        text.lines()
            .filter(|line| {
                line.starts_with("sluicegate_records_total{")
                    && line.contains(&format!("\"{fate}\""))
            })
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    };
    for (fate, count) in [
        ("accepted", fates.accepted),
        ("filtered", fates.filtered),
        ("late", fates.late),
        ("dead_lettered", fates.dead_lettered),
    ] {
        assert_eq!(counted(fate), count as f64, "{fate} in\n{text}");
    }
    host.stop();
}

#[test]
fn a_ready_host_says_so() {
    let (_topic, _place, host) = at_work("http-health", 63);
    for path in ["/health/live", "/health/ready"] {
        let answer = reqwest::blocking::get(format!("{}{path}", host.url)).unwrap();
        assert!(answer.status().is_success(), "{path}: {answer:?}");
    }
    host.stop();
}

#[test]
fn live_results_come_as_server_sent_events() {
    let topic = Topic::create(services::kafka(), "http-live", 2);
    let place = Place::local();
    let host = Host::serve(&place, &Pipeline::sales(kafka(&topic)).write(&place));
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    let answer = client.get(format!("{}/v1/pipelines/sales/live", host.url)).send().unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    Sales::new(seed(64), 2).send(&topic, 200);
    let lines = BufReader::new(answer).lines().map(Result::unwrap);
    let event = lines
        .filter_map(|line| line.strip_prefix("data:").map(str::to_owned))
        .map(|data| serde_json::from_str::<serde_json::Value>(&data).unwrap())
        .find(|event| event["rows"].as_array().is_some_and(|rows| !rows.is_empty()))
        .expect("an event with rows before the stream ends");
    assert_eq!(event["columns"].as_array().unwrap()[0], "store");
    host.stop();
}

/// A first run whose stage names a module waits until somebody uploads it, and says so; `run` would refuse it.
#[test]
fn a_first_run_waits_for_the_modules_that_it_names() {
    let topic = Topic::create(services::kafka(), "http-named", 2);
    Sales::new(seed(67), 2).send(&topic, 100);
    let place = Place::local();
    let pipeline = Pipeline { filter: "checked-sale".to_owned(), ..Pipeline::sales(kafka(&topic)) };
    let host = Host::serve(&place, &pipeline.write(&place));
    let ready = || reqwest::blocking::get(format!("{}/health/ready", host.url)).unwrap();
    let reason = eventually("the host says what it waits for", || {
        let answer = ready().text().unwrap();
        answer.contains("plugin push").then_some(answer)
    });
    assert!(reason.contains("stage `valid`") && reason.contains("`checked-sale`"), "{reason}");
    assert!(chain::head(&place).is_none(), "nothing is committed before the modules are there");

    host.upload("checked-sale", "valid-sale");
    eventually("all sales are committed", || {
        (chain::head(&place)?.fates().read == 200).then_some(())
    });
    assert!(ready().status().is_success());
    host.stop();
}

/// «Bad input gets» of uploads: refused with a sentence, the running pipeline untouched.
#[test]
fn uploads_that_are_no_plugins_are_refused() {
    let (_topic, place, host) = at_work("http-refused", 65);
    let before = chain::head(&place).unwrap().module("valid");
    let empty_module = b"\0asm\x01\0\0\0".to_vec();
    for (name, body, kind, status, says) in [
        ("text", b"no wasm".to_vec(), "application/wasm", 422, "WebAssembly"),
        ("empty", empty_module.clone(), "application/wasm", 422, "empty"),
        ("foreign", module_with_foreign_import(), "application/wasm", 422, "env"),
        ("large", vec![0; (10 << 20) + 1], "application/wasm", 413, "--release"),
        ("UPPER", empty_module.clone(), "application/wasm", 400, "a-z"),
        ("typed", empty_module, "text/plain", 415, "application/wasm"),
    ] {
        let answer = Client::new()
            .put(format!("{}/v1/modules/{name}", host.url))
            .header("content-type", kind)
            .timeout(Duration::from_secs(60))
            .body(body)
            .send()
            .unwrap();
        let (found, text) = (answer.status(), answer.text().unwrap());
        assert_eq!(found, status, "{name}: {text}");
        let error: serde_json::Value = serde_json::from_str(&text).unwrap();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{name}: `{message}` does not say `{says}`");
    }
    assert_eq!(host.get("/v1/pipelines/sales")["phase"], "running");
    host.stop();
    assert_eq!(chain::head(&place).unwrap().module("valid"), before);
}

#[test]
fn what_is_not_there_is_named() {
    let (_topic, _place, host) = at_work("http-missing", 66);
    for (path, says) in
        [("/v1/pipelines/buys", "`buys`"), ("/v1/modules/nothing", "`nothing`"), ("/v2", "/v2")]
    {
        let answer = reqwest::blocking::get(format!("{}{path}", host.url)).unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        let error: serde_json::Value = answer.json().unwrap();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{path}: {message}");
    }
    let (status, answer) = host.post(
        "/v1/pipelines/sales/releases",
        &serde_json::json!({"stage": "walid", "module": "valid-sale"}),
    );
    assert_eq!(status, 404, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("`walid`"), "{answer}");
    host.stop();
}

/// A module that imports the function `f` of a module `env`.
pub fn module_with_foreign_import() -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    // One function type without parameters and results; one import of it.
    module.extend([1, 4, 1, 0x60, 0, 0]);
    module.extend([2, 9, 1, 3, b'e', b'n', b'v', 1, b'f', 0, 0]);
    module
}

/// What stands in the open windows, in every form; a pipeline of raw rows has none, and says so.
#[test]
fn open_windows_are_shown_as_they_stand() {
    let (_topic, place, host) = at_work("http-windows", 68);
    let status = host.get("/v1/pipelines/sales");
    let open = host.get("/v1/pipelines/sales/windows?limit=2000");
    let rows = open["rows"].as_array().unwrap();
    assert!(!rows.is_empty());
    assert_eq!((&open["groups"], &open["rows_left_out"]), (&status["open_groups"], &0.into()));
    assert_eq!(rows.len() as u64, open["groups"].as_u64().unwrap());
    assert_eq!((&open["columns"][0]["name"], &open["key_columns"]), (&"store".into(), &1.into()));
    let key = rows[0][0].as_str().unwrap();
    let of_key = host.get(&format!("/v1/pipelines/sales/windows?key={key}"));
    let of_key = of_key["rows"].as_array().unwrap();
    assert!(!of_key.is_empty() && of_key.iter().all(|row| row[0].as_str().unwrap().contains(key)));
    let ask = |accept: &str| {
        let request = Client::new().get(format!("{}/v1/pipelines/sales/windows", host.url));
        request.header("accept", accept).send().unwrap()
    };
    let parquet = ask("application/vnd.apache.parquet").bytes().unwrap();
    let parquet = ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap();
    let count: usize = parquet.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(count, rows.len().min(200));
    let arrow = ask("application/vnd.apache.arrow.stream");
    assert_eq!(arrow.headers()["x-sluicegate-groups"], open["groups"].to_string().as_str());
    host.stop();
    // Looking has changed nothing: another run over the same sales has the same table.
    assert_eq!(chain::head(&place).unwrap().fates().read, 800);

    let topic = Topic::create(services::kafka(), "http-raw", 1);
    let place = Place::local();
    let raw = Pipeline { window: None, ..Pipeline::sales(kafka(&topic)) };
    let host = Host::serve(&place, &raw.write(&place));
    let url = format!("{}/v1/pipelines/sales/windows", host.url);
    let answer = eventually("the pipeline runs", || {
        let answer = reqwest::blocking::get(&url).unwrap();
        (answer.status() != 503).then_some(answer)
    });
    assert_eq!(answer.status(), 409);
    assert!(answer.text().unwrap().contains("\"no_windows\""));
    host.stop();
}
