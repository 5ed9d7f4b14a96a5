//! The document of the API: that it is current, complete, and says what each thing means.

use std::collections::BTreeSet;

use expect_test::expect_file;

use super::*;
use sluicegate_engine::live::{LiveResults, LiveRows};

/// Where docs/http.md has its table of routes.
const PAGE: &str = include_str!("../../../../../docs/http.md");

async fn document(api: &Api) -> Value {
    let answer = get_path(&api.router, "/v1/openapi.json").await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    answer.json()
}

/// Method in capitals, path, and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().iter();
        methods
            .map(|(method, it)| (method.to_uppercase(), path.clone(), it.clone()))
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[tokio::test]
async fn the_committed_document_is_what_the_server_answers() {
    let answer = get_path(&api().router, "/v1/openapi.json").await;
    expect_file!["../../../../../docs/openapi.json"].assert_eq(&answer.text);
}

#[tokio::test]
async fn the_page_on_http_and_the_document_name_the_same_operations() {
    let table = PAGE.lines().skip_while(|line| *line != "|---|---|").skip(1);
    let links = table.map_while(|line| line.strip_prefix("| [")?.split_once("]("));
    let named: BTreeSet<_> = links.flat_map(|(link, _)| named(link)).collect();
    let document = document(&api()).await;
    let described: BTreeSet<_> =
        operations(&document).iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(named, described);
}

/// The operations of a line such as ``GET`, `POST /a`, `/b``: a path takes the methods before it, back to the path before.
fn named(link: &str) -> Vec<String> {
    let mut operations = Vec::new();
    let mut methods = Vec::new();
    let mut after_path = false;
    for word in link.split(['`', ',', ' ']).filter(|word| !word.is_empty()) {
        let is_path = word.starts_with('/');
        if is_path {
            operations.extend(methods.iter().map(|method| format!("{method} {word}")));
        } else if after_path {
            methods = vec![word];
        } else {
            methods.push(word);
        }
        after_path = is_path;
    }
    operations
}

#[tokio::test]
async fn every_route_is_described_and_every_description_has_a_route() {
    let api = api();
    let document = document(&api).await;
    let described: BTreeSet<_> =
        operations(&document).into_iter().map(|(_, path, _)| path).collect();
    // A router shows its paths to nobody but to those who debug it.
    let router = format!("{:?}", api.router);
    let routed =
        router.split('"').filter(|word| word.starts_with('/') && !word.contains("__private"));
    let routed: BTreeSet<_> = routed.map(|path| path.replace("{*", "{")).collect();
    assert_eq!(routed, described);
    for (method, path, _) in operations(&document) {
        let path = path.replace(['{', '}'], "");
        let method: Method = method.parse().unwrap();
        let answer =
            send(&api.router, request(method.clone(), &path).body(Body::empty()).unwrap()).await;
        let is_nowhere = answer.status == StatusCode::METHOD_NOT_ALLOWED
            || (answer.status == StatusCode::NOT_FOUND
                && answer.text.contains("no_such_path")
                && !path.starts_with("/console/"));
        assert!(!is_nowhere, "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn every_failure_that_the_server_answers_is_described() {
    let api = api();
    let document = document(&api).await;
    let upload = "/v1/modules/{name}";
    for (method, path, asked) in [
        (Method::GET, "/v1/modules/{name}", "/v1/modules/none"),
        (Method::GET, "/v1/modules/{name}", "/v1/modules/%20"),
        (Method::GET, "/v1/modules/{name}", "/v1/modules/%ff"),
        (Method::GET, "/v1/modules/{name}/{version}", "/v1/modules/none/1"),
        (Method::GET, "/v1/modules/{name}/{version}", "/v1/modules/none/x"),
        (Method::GET, "/v1/modules/{name}/{version}/fit", "/v1/modules/none/x/fit"),
        (Method::PUT, upload, "/v1/modules/%20"),
        (Method::PUT, upload, "/v1/modules/a"),
        (Method::GET, "/v1/pipelines/{pipeline}", "/v1/pipelines/none"),
        (Method::GET, "/v1/pipelines/{pipeline}/live", "/v1/pipelines/none/live"),
        (Method::GET, "/v1/pipelines/{pipeline}/history", "/v1/pipelines/sales/history?since=x"),
        (Method::GET, "/v1/pipelines/{pipeline}/history", "/v1/pipelines/sales/history?sinse=x"),
        (
            Method::GET,
            "/v1/pipelines/{pipeline}/dead-letters",
            "/v1/pipelines/sales/dead-letters?limit=0",
        ),
        (
            Method::GET,
            "/v1/pipelines/{pipeline}/late-rows",
            "/v1/pipelines/sales/late-rows?before=x",
        ),
        (Method::POST, "/v1/pipelines/{pipeline}/releases", "/v1/pipelines/sales/releases"),
        (Method::POST, "/v1/session", "/v1/session"),
        (Method::GET, "/console/{path}", "/console/none"),
    ] {
        let answer =
            send(&api.router, request(method.clone(), asked).body(Body::empty()).unwrap()).await;
        assert!(answer.status.is_client_error(), "{method} {asked}: {answer:?}");
        let responses = &document["paths"][path][method.as_str().to_lowercase()]["responses"];
        let said = responses[answer.status.as_str()]["description"].as_str().unwrap_or_default();
        let code = answer.json()["error"]["code"].as_str().unwrap().to_owned();
        assert!(said.contains(&format!("`{code}`")), "{method} {asked}: {answer:?}, and `{said}`");
    }
}

#[tokio::test]
async fn operations_and_fields_say_what_they_mean() {
    let document = document(&api()).await;
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(summary.len() > 20 && summary.ends_with('.'), "{method} {path}: {summary}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{method} {path}: `{id}` is another's");
        for status in ["400", "403", "500"] {
            assert!(operation["responses"][status].is_object(), "{method} {path}: {status}");
        }
        let public = path == "/v1/session" || path == "/" || path.starts_with("/console/");
        assert_eq!(operation["security"].is_array(), public, "{method} {path}");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name} has no description");
        // What may be one of several shapes says what each of them is.
        let is_described = |shape: &Value| shape["description"].is_string();
        if schema["oneOf"].as_array().is_some_and(|shapes| shapes.iter().all(is_described)) {
            continue;
        }
        for fields in pointers(schema, "properties") {
            for (field, is) in fields.as_object().unwrap() {
                // Of what may be null, the other half has it.
                let described =
                    is["description"].is_string() || is["oneOf"][0]["description"].is_string();
                assert!(described, "{name}.{field} has no description: {is}");
            }
        }
    }
    let text = document.to_string();
    assert!(!text.contains("[`"), "links of Rust lead nowhere in the document");
    for reference in pointers(&document, "$ref") {
        let place = reference.as_str().unwrap().trim_start_matches('#');
        assert!(document.pointer(place).is_some(), "{reference} is nowhere");
    }
}

/// Every value of that name, however deep.
fn pointers<'v>(value: &'v Value, name: &str) -> Vec<&'v Value> {
    match value {
        Value::Object(fields) => {
            let own = fields.get(name).into_iter();
            own.chain(fields.values().flat_map(|it| pointers(it, name))).collect()
        }
        Value::Array(values) => values.iter().flat_map(|it| pointers(it, name)).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn the_document_wants_the_token_that_the_rest_wants() {
    let api = access::with_tokens();
    let answer = get_path(&api.router, "/v1/openapi.json").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

/// Where a value lies in the document, however it is named there.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(place) => document.pointer(place.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

#[tokio::test]
async fn what_operations_share_is_said_once_and_of_each() {
    let document = document(&api()).await;
    for (method, path, operation) in operations(&document) {
        let responses = operation["responses"].as_object().unwrap();
        if path.contains("{pipeline}") {
            let first = &operation["parameters"][0];
            assert_eq!(first["$ref"], "#/components/parameters/pipeline", "{method} {path}");
            let unknown = responses["404"]["description"].as_str().unwrap();
            assert!(unknown.contains("`unknown_pipeline`"), "{method} {path}: {unknown}");
        }
        for (status, response) in responses {
            let header = |name: &str| resolved(&document, &response["headers"][name]);
            assert!(header("x-request-id")["description"].is_string(), "{method} {path} {status}");
            let fails = response["content"]["application/json"]["schema"]["$ref"]
                == "#/components/schemas/ErrorBody";
            let waits = fails && (status == "429" || status == "503");
            assert!(
                !waits || header("retry-after")["schema"]["type"] == "integer",
                "{path} {status}"
            );
        }
    }
    let not_taken = &document["components"]["responses"]["MethodNotAllowed"];
    assert!(not_taken["headers"]["allow"].is_object(), "{not_taken}");
}

#[tokio::test]
async fn a_method_that_is_not_taken_is_answered_as_the_document_says() {
    let api = api();
    let not_taken = request(Method::DELETE, "/v1/pipelines/sales").body(Body::empty()).unwrap();
    let answer = send(&api.router, not_taken).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.json()["error"]["code"], "method");
    assert!(answer.headers.contains_key("allow") && answer.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn words_of_closed_sets_are_listed() {
    let document = document(&api()).await;
    let words = |name: &str| document["components"]["schemas"][name]["enum"].clone();
    assert_eq!(words("PluginKind"), serde_json::json!(["filter", "map", "aggregate", "process"]));
    assert!(words("Phase").as_array().unwrap().contains(&"backing_off".into()));
    assert_eq!(words("DeadLetterKind").as_array().unwrap().len(), 12);
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        // The type of a column has parameters: `decimal(18,2)`.
        let is_column = name.ends_with("Column") || name == "ColumnFacts";
        for is in fields_of_sets(schema).into_iter().filter(|_| !is_column) {
            // Of what may be null, one half is the set.
            let half = is["oneOf"]
                .as_array()
                .and_then(|halves| halves.iter().find(|half| half["$ref"].is_string()));
            let is = half.unwrap_or(is);
            let set = resolved(&document, is);
            assert!(set["enum"].is_array(), "{name}: {is} is {set}");
        }
    }
}

/// Of a type, the fields whose names are those of closed sets.
fn fields_of_sets(schema: &Value) -> Vec<&Value> {
    let names = ["phase", "kind", "type", "holds", "unit", "verdict"];
    let all = pointers(schema, "properties");
    all.into_iter()
        .flat_map(|fields| names.map(|name| &fields[name]))
        .filter(|is| is.is_object())
        .collect()
}

#[tokio::test]
async fn the_events_of_a_live_stream_are_those_that_are_sent() {
    let document = document(&api()).await;
    let event = &document["components"]["schemas"]["LiveEvent"]["oneOf"];
    let name = |event: &Value| event["properties"]["event"]["enum"][0].as_str().unwrap().to_owned();
    let names: Vec<_> = event.as_array().unwrap().iter().map(name).collect();
    assert_eq!(names, ["results", "missed", "ended"]);
    let sent = LiveResults {
        pipeline: "sales".to_owned(),
        uncommitted_epoch: 8,
        columns: Vec::new(),
        key_columns: 1,
        rows: LiveRows::default(),
        rows_left_out: 0,
        rows_gone: 0,
    };
    let sent = serde_json::to_value(sent).unwrap();
    let fields = |of: &Value| of.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let described = &document["components"]["schemas"]["LiveResults"]["properties"];
    assert_eq!(fields(&sent), fields(described));
}
