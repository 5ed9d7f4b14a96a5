//! Requests that no client of ours makes: each has an answer that says so, and none is a fault of the server.

use super::*;

#[tokio::test]
async fn odd_requests_are_answered_and_none_is_a_fault_of_the_server() {
    let api = api();
    let long = format!("/v1/pipelines/{}", "x".repeat(60_000));
    let paths = [
        "/",
        "//",
        "/v1",
        "/v1/",
        "/v1/pipelines//",
        "/v1/pipelines/%ff",
        "/v1/pipelines/%00",
        "/v1/pipelines/..%2f..",
        "/v1/pipelines/sales/releases?stage=%ff&x[]=1",
        "/v1/pipelines/sales?a=%",
        "/v1/modules/%F0%9F%92%A9",
        "/v1/modules/a%2fb",
        "/v1/modules/-",
        "/v1/pipelines/sales/live%0a",
        "/v1/pipelines/sales/%C3%28",
        "/health/live?x=%zz",
        &long,
    ];
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"stage":1}"#,
        r#"{"stage":"valid","module":"valid-sale","version":-1}"#,
        r#"{"stage":"valid","module":"valid-sale","version":18446744073709551616}"#,
        r#"{"stage":"\u0000","module":"é","version":"zz"}"#,
    ];
    let nested = "[".repeat(20_000);
    let nested = nested.as_str();
    let headers: [(&str, &[u8]); 7] = [
        ("content-type", b"application/json"),
        ("content-type", b"\xff"),
        ("content-length", b"18446744073709551616"),
        ("authorization", b"Bearer"),
        ("origin", b"\xff://"),
        ("content-type", b"application/wasm"),
        ("x-request-id", b"\xe9"),
    ];
    let methods = [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS];
    let ways = paths.iter().flat_map(|path| methods.iter().map(move |method| (path, method)));
    for (path, method) in ways {
        let bodies = bodies.iter().chain([&nested]);
        for ((name, value), body) in
            headers.iter().flat_map(|it| bodies.clone().map(move |body| (*it, *body)))
        {
            let request = request(method.clone(), path).header(name, value);
            let answer =
                send(&api.router, request.body(Body::from(body.to_owned())).unwrap()).await;
            let is_ours = answer.status.is_server_error();
            assert!(!is_ours, "{method} {path} {name} {body:.80}: {answer:?}");
            if answer.status.is_client_error() {
                answer.failure();
            }
        }
    }
}
