//! Dashboards and alerts as they are deployed: every query of every panel, of the annotations and of the variables has
//! data when a real Prometheus scrapes a running host by the deployed files, and every alert is understood and told.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use xtask::services::prometheus::{self, Prometheus, promtool};
use xtask::workspace::Workspace;

use crate::harness::host::Host;
use crate::harness::pipeline::{Pipeline, kafka};
use crate::harness::place::Place;
use crate::harness::sales::Sales;
use crate::harness::topic::Topic;
use crate::harness::{PATIENCE, chain, eventually, seed, services, wait_until};

const ALERTS: &str = "deploy/prometheus/alerts.yml";
const SCRAPE: &str = "deploy/prometheus/prometheus.yml";
const DASHBOARDS: [&str; 2] =
    ["deploy/grafana/dashboards/pipeline.json", "deploy/grafana/dashboards/plugins.json"];

/// What Grafana asks Prometheus, its variables put in.
#[derive(Debug)]
struct Query {
    /// Of a dashboard: its file and the panel's title.
    place: String,
    expression: String,
    /// Asked for the present moment, not for a range.
    instant: bool,
}

#[test]
fn alerts_and_scrape_file_pass_promtool() {
    prometheus::fetch().unwrap();
    let root = Workspace::here().root().to_path_buf();
    promtool(&["check", "rules"], &root.join(ALERTS)).unwrap();
    promtool(&["test", "rules"], &root.join("deploy/prometheus/alerts.test.yml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    promtool(&["check", "config"], &deployed(folder.path(), "127.0.0.1:1")).unwrap();
}

#[test]
fn every_panel_and_every_alert_finds_its_series() {
    prometheus::fetch().unwrap();
    let topic = Topic::create(services::kafka(), "dashboards", 2);
    let place = Place::local();
    let mut pipeline = Pipeline::sales(kafka(&topic));
    pipeline.tables = "delta";
    let host = Host::serve(&place, &pipeline.write(&place));
    let folder = tempfile::tempdir().unwrap();
    let target = host.url.strip_prefix("http://").unwrap();
    let server = Prometheus::start(folder.path(), &deployed(folder.path(), target)).unwrap();

    let enough = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let feeder = threads.spawn(|| {
            // The dice throw some records that are none, and some that are late.
            let mut sales = Sales::new(seed(71), 2);
            while !enough.load(Ordering::Relaxed) {
                sales.send(&topic, 100);
                wait_until(Duration::from_millis(200), || {
                    enough.load(Ordering::Relaxed).then_some(())
                });
            }
        });
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("the first sales are committed", || {
                (chain::head(&place)?.fates().read > 0).then_some(())
            });
            host.upload("premium-sale", "premium-sale");
            host.activate("sales", "valid", "premium-sale");
            let queries = DASHBOARDS.iter().flat_map(|file| queries(file));
            // It begins with the first take-over, and a host alone has none.
            let queries =
                queries.filter(|query| !query.expression.contains("sluicegate_take_over_seconds"));
            let queries = queries.collect();
            assert_all_have_data(&server, queries);
            let alerts = assert_alerts_are_understood(&server);
            assert_all_have_data(&server, alerts);
            // A fortieth of the records is dead.
            wait_for_alert(&server, "SluicegateDeadLettersRising");
        }));
        enough.store(true, Ordering::Relaxed);
        feeder.join().unwrap();
        if let Err(panic) = checked {
            std::panic::resume_unwind(panic);
        }
    });
    host.kill();
    wait_for_alert(&server, "SluicegateDown");
}

/// Every alert names a section of the runbook, and the runbook says what every metric is for.
#[test]
fn the_runbook_has_a_section_for_every_alert_and_names_every_metric() {
    let (alerts, page) = (read(ALERTS), read("docs/operate.md"));
    let values = |key: &str| -> Vec<&str> {
        alerts.lines().filter_map(|line| line.trim().strip_prefix(key)).map(str::trim).collect()
    };
    let (names, runbooks) = (values("- alert:"), values("runbook:"));
    assert!(names.len() > 5, "{names:?}");
    let wanted: Vec<_> =
        names.iter().map(|name| format!("docs/operate.md#{}", name.to_lowercase())).collect();
    assert_eq!(runbooks, wanted, "each alert names the section of its own name");
    for name in names {
        assert!(page.lines().any(|line| line == format!("### {name}")), "no section on {name}");
    }
    for metric in documented() {
        assert!(page.contains(&format!("`{metric}`")), "docs/operate.md says nothing of {metric}");
    }
}

/// What neither a host shows nor a person can look up would be found in production only.
#[test]
fn dashboards_and_alerts_name_documented_series_only() {
    let documented = documented();
    for file in DASHBOARDS.iter().chain([&ALERTS]) {
        for selector in selectors(&read(file)) {
            let series = selector.split('{').next().unwrap();
            let series = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| series.strip_suffix(end))
                .filter(|histogram| documented.iter().any(|it| it == histogram))
                .unwrap_or(series);
            let known = documented.iter().any(|it| it == series) || series == "up";
            assert!(known, "{file} asks for `{series}`, which docs/metrics.md does not have");
        }
    }
}

/// The series of docs/metrics.md.
fn documented() -> Vec<String> {
    let page = read("docs/metrics.md");
    let series = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    series.map(str::to_owned).collect()
}

/// The deployed scrape file and the rules beside it, the host's address put in.
fn deployed(folder: &Path, target: &str) -> PathBuf {
    let text = read(SCRAPE).replace("/etc/prometheus/", "");
    let begin = text.find("targets: [").expect("the scrape file has its targets in one line");
    let end = begin + text[begin..].find(']').unwrap();
    let text = format!("{}targets: [\"{target}\"{}", &text[..begin], &text[end..]);
    let configuration = folder.join("prometheus.yml");
    std::fs::write(&configuration, text).unwrap();
    std::fs::write(folder.join("alerts.yml"), read(ALERTS)).unwrap();
    configuration
}

/// As Grafana makes it of the data source's scrape interval when one pixel is less than that.
fn rate_interval() -> String {
    let text = read(SCRAPE);
    let seconds = text.lines().find_map(|line| {
        line.trim().strip_prefix("scrape_interval:")?.trim().strip_suffix('s')?.parse::<u32>().ok()
    });
    format!("{}s", 4 * seconds.expect("the scrape file says how often, in seconds"))
}

/// Every query of a dashboard: panels, annotations of ours, and variables.
fn queries(file: &str) -> Vec<Query> {
    let dashboard: Value = serde_json::from_str(&read(file)).unwrap();
    let mut found = Vec::new();
    let mut add = |title: &Value, expression: &str, instant: bool| {
        let expression = expression
            .replace("$__rate_interval", &rate_interval())
            .replace("$pipeline", "sales")
            .replace("$stage", ".*");
        assert!(!expression.contains('$'), "{file}: a variable in `{expression}` is unknown");
        found.push(Query { place: format!("{file}: {title}"), expression, instant });
    };
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "prometheus", "{file}: {panel}");
            let expression = target["expr"].as_str().unwrap();
            add(&panel["title"], expression, target["instant"] == true);
        }
    }
    for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
        if let Some(expression) = annotation["expr"].as_str() {
            add(&annotation["name"], expression, false);
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let query = variable["query"]["query"].as_str().unwrap();
        let inner = query.strip_prefix("label_values(").and_then(|it| it.strip_suffix(')'));
        let (series, label) = inner.unwrap().rsplit_once(", ").unwrap();
        add(&variable["name"], &format!("count by ({label}) ({series})"), true);
    }
    assert!(found.len() > 5, "{file}: {found:?}");
    found
}

/// The series that text of PromQL names, each with its matchers.
fn selectors(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(is_name) {
        let word = &rest[begin..];
        let end = word.find(|c| !is_name(c)).unwrap_or(word.len());
        let name = &word[..end];
        rest = &word[end..];
        let series = name.starts_with("sluicegate_") || name.starts_with("process_");
        if series || (name == "up" && rest.starts_with('{')) {
            let matchers = rest.strip_prefix('{').and_then(|it| it.find('}'));
            found.push(format!("{name}{}", matchers.map_or("", |end| &rest[..end + 2])));
        }
    }
    found
}

/// Asks until all have data; else shows what each has.
#[track_caller]
fn assert_all_have_data(server: &Prometheus, queries: Vec<Query>) {
    let mut answers: Vec<(Query, Value)> =
        queries.into_iter().map(|query| (query, Value::Null)).collect();
    let all = wait_until(PATIENCE, || {
        for (query, answer) in answers.iter_mut().filter(|(_, answer)| !has_data(answer)) {
            *answer = ask(server, query);
        }
        answers.iter().all(|(_, answer)| has_data(answer)).then_some(())
    });
    if all.is_none() {
        for (Query { place, expression, .. }, answer) in &answers {
            let mark = if has_data(answer) { "data   " } else { "NO DATA" };
            println!("{mark} {place}\n        {expression}\n        {answer}");
        }
        panic!("queries without data: see above");
    }
}

/// A sample that is a number; a quantile of nothing is `NaN`.
fn has_data(answer: &Value) -> bool {
    let series = answer["data"]["result"].as_array().into_iter().flatten();
    let samples = series.flat_map(|series| {
        let several = series["values"].as_array().into_iter().flatten();
        several.chain(series.get("value"))
    });
    let mut numbers = samples.filter_map(|sample| sample[1].as_str()?.parse::<f64>().ok());
    numbers.any(f64::is_finite)
}

fn ask(server: &Prometheus, query: &Query) -> Value {
    let expression = ("query", query.expression.as_str());
    if query.instant {
        return get(server, "/api/v1/query", &[expression]);
    }
    let now = get(server, "/api/v1/query", &[("query", "time()")])["data"]["result"][0].to_string();
    let now: f64 = now.parse().unwrap();
    let (start, end) = (format!("{}", now - 60.0), format!("{now}"));
    get(
        server,
        "/api/v1/query_range",
        &[expression, ("start", &start), ("end", &end), ("step", "5")],
    )
}

#[track_caller]
fn get(server: &Prometheus, path: &str, parameters: &[(&str, &str)]) -> Value {
    let url = Url::parse_with_params(&format!("{}{path}", server.url()), parameters).unwrap();
    let answer: Value = reqwest::blocking::get(url).unwrap().json().unwrap();
    assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
    answer
}

fn alerts(server: &Prometheus) -> Vec<Value> {
    let answer = get(server, "/api/v1/rules", &[("type", "alert")]);
    let groups = answer["data"]["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// Prometheus has evaluated every alert without an error. Answers with what the alerts look at: an alert is silent
/// when all is well, its series are not.
fn assert_alerts_are_understood(server: &Prometheus) -> Vec<Query> {
    let rules = eventually("all alerts are evaluated", || {
        let rules = alerts(server);
        let evaluated = rules.iter().all(|rule| rule["health"] != "unknown");
        (!rules.is_empty() && evaluated).then_some(rules)
    });
    let mut looks_at = Vec::new();
    for rule in &rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        let place = rule["name"].to_string();
        for expression in selectors(rule["query"].as_str().unwrap()) {
            looks_at.push(Query { place: place.clone(), expression, instant: true });
        }
    }
    looks_at
}

fn wait_for_alert(server: &Prometheus, name: &str) {
    eventually(&format!("{name} is told"), || {
        let rules = alerts(server);
        let rule = rules.iter().find(|rule| rule["name"] == name).expect("the alert is there");
        (rule["state"] != "inactive").then_some(())
    });
}

fn read(path: &str) -> String {
    let path = Workspace::here().root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
