//! Signing in with a browser: a token for a cookie, what the cookie opens, and for how long.

use std::net::SocketAddr;

use expect_test::expect;

use super::access::{FIRST, token_file};
use super::*;
use crate::http::accept::Peer;
use crate::http::session::kept::{SESSION_TIME, Sessions};

const OWN: &str = "http://127.0.0.1:8080";

/// A server that wants a token, and the clock that its sessions end by.
fn with_token() -> (Api, Clock) {
    let file = token_file(FIRST);
    let mut access = Access::new([0, 0, 0, 0].into(), Some(file.path()), &[]).unwrap();
    let clock = Clock::manual(0);
    access.sessions = Sessions::new(clock.clone());
    (api_with(access), clock)
}

async fn sign_in(api: &Api, token: &str, peer: SocketAddr) -> Answer {
    let request = request(Method::POST, "/v1/session").header("content-type", "application/json");
    let body = format!("{{\"token\":\"{token}\"}}");
    let mut request = request.header("origin", OWN).body(Body::from(body)).unwrap();
    request.extensions_mut().insert(Peer(peer));
    send(&api.router, request).await
}

/// The cookie as the browser sends it back.
async fn cookie(api: &Api) -> String {
    let answer = sign_in(api, FIRST, ([127, 0, 0, 1], 1).into()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    cookie.split_once(';').unwrap().0.to_owned()
}

async fn ask(api: &Api, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(&api.router, request.body(Body::empty()).unwrap()).await
}

/// What the page is told about the session.
async fn status(api: &Api, headers: &[(&str, &str)]) -> String {
    ask(api, Method::GET, "/v1/session", headers).await.text
}

#[tokio::test]
async fn a_token_is_traded_for_a_cookie_that_scripts_cannot_read() {
    let (api, _) = with_token();
    assert_eq!(status(&api, &[]).await, r#"{"token_needed":true,"signed_in":false}"#);
    let answer = sign_in(&api, FIRST, ([127, 0, 0, 1], 1).into()).await;
    assert_eq!(answer.text, r#"{"token_needed":true,"signed_in":true}"#);
    let set = answer.headers["set-cookie"].to_str().unwrap();
    let (pair, rules) = set.split_once(';').unwrap();
    let (name, id) = pair.split_once('=').unwrap();
    assert_eq!((name, id.len()), ("sluicegate_session_8080", 64));
    assert_eq!(rules, " Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
    assert!(!set.contains(FIRST));

    let cookie = ("cookie", pair);
    assert_eq!(status(&api, &[cookie]).await, r#"{"token_needed":true,"signed_in":true}"#);
    for path in ["/v1/pipelines", "/v1/pipelines/sales/live", "/metrics"] {
        let mut request =
            request(Method::GET, path).header("cookie", format!("theme=dark; {pair}"));
        request = request.header("sec-fetch-site", "same-origin");
        let request = request.body(Body::empty()).unwrap();
        let Ok(response) = TowerToHyperService::new(api.router.clone()).call(request).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
    let other = cookie.1.replace(&id[..4], "0000");
    expect!["401 session: the session has ended: sign in again"]
        .assert_eq(&ask(&api, Method::GET, "/v1/pipelines", &[("cookie", &other)]).await.failure());
    // Of the server at another port of this machine.
    let foreign = cookie.1.replace("8080", "8081");
    let refused = ask(&api, Method::GET, "/v1/pipelines", &[("cookie", &foreign)]).await;
    expect!["401 token: this server wants a token: `Authorization: Bearer …`"]
        .assert_eq(&refused.failure());
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    // A token that is brought decides, whatever the cookie is.
    let wrong = [("cookie", pair), ("authorization", "Bearer nothing")];
    expect!["401 token: the token is not one of this server's"]
        .assert_eq(&ask(&api, Method::GET, "/v1/pipelines", &wrong).await.failure());
}

#[tokio::test]
async fn behind_a_proxy_with_tls_the_cookie_goes_back_over_tls_only() {
    let (api, _) = with_token();
    let request = Request::post("/v1/session").header("host", "gate.example");
    let request = request.header("origin", "https://gate.example");
    let request = request.header("content-type", "application/json");
    let body = Body::from(format!("{{\"token\":\"{FIRST}\"}}"));
    let answer = send(&api.router, request.body(body).unwrap()).await;
    let set = answer.headers["set-cookie"].to_str().unwrap();
    assert!(set.starts_with("sluicegate_session=") && set.ends_with("; Secure"), "{set}");
}

#[tokio::test]
async fn what_changes_something_by_a_cookie_comes_from_a_page_of_this_server() {
    let (api, _) = with_token();
    let cookie = cookie(&api).await;
    let post = async |headers: &[(&str, &str)]| {
        ask(&api, Method::POST, "/v1/pipelines/sales/releases", headers).await
    };
    expect!["403 foreign_origin: with a session, a request that changes something needs the `Origin` that browsers send; programs send a token instead"].assert_eq(&post(&[("cookie", &cookie)]).await.failure());
    for origin in ["https://evil.example", "null", "http://127.0.0.1:3000"] {
        let answer = post(&[("cookie", &cookie), ("origin", origin)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin}");
    }
    let own = post(&[("cookie", &cookie), ("origin", OWN)]).await;
    assert_eq!(own.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "the guard lets it through");
    let token = format!("Bearer {FIRST}");
    let program = post(&[("authorization", &token)]).await;
    assert_eq!(program.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "a program needs no origin");
    // Neither does a foreign page sign anybody out, or in.
    let out = ask(&api, Method::DELETE, "/v1/session", &[("cookie", &cookie)]).await;
    assert_eq!(out.status, StatusCode::FORBIDDEN);
    let foreign = [("origin", "https://evil.example"), ("content-type", "application/json")];
    assert_eq!(
        ask(&api, Method::POST, "/v1/session", &foreign).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        status(&api, &[("cookie", &cookie)]).await,
        r#"{"token_needed":true,"signed_in":true}"#
    );
}

#[tokio::test]
async fn a_session_ends_when_one_signs_out_and_after_half_a_day() {
    let (api, clock) = with_token();
    let opens = async |cookie: &str| {
        ask(&api, Method::GET, "/v1/pipelines", &[("cookie", cookie)]).await.status.is_success()
    };
    let (mine, other) = (cookie(&api).await, cookie(&api).await);
    let out = ask(&api, Method::DELETE, "/v1/session", &[("cookie", &mine), ("origin", OWN)]).await;
    assert_eq!(out.text, r#"{"token_needed":true,"signed_in":false}"#);
    let forget = "sluicegate_session_8080=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict";
    assert_eq!(out.headers["set-cookie"], forget);
    assert!(!opens(&mine).await);
    assert!(opens(&other).await);
    clock.advance(SESSION_TIME - Duration::from_secs(1));
    assert!(opens(&other).await);
    clock.advance(Duration::from_secs(1));
    assert!(!opens(&other).await);
}

#[tokio::test]
async fn there_are_few_sessions_and_the_oldest_makes_room() {
    let (api, _) = with_token();
    let first = cookie(&api).await;
    let second = cookie(&api).await;
    for _ in 2..=64 {
        cookie(&api).await;
    }
    let opens = async |cookie: &str| {
        ask(&api, Method::GET, "/v1/pipelines", &[("cookie", cookie)]).await.status.is_success()
    };
    assert!(!opens(&first).await);
    assert!(opens(&second).await);
}

#[tokio::test]
async fn whoever_fails_often_waits_and_others_do_not() {
    let (api, clock) = with_token();
    let (one, same, other) =
        (([10, 0, 0, 1], 5).into(), ([10, 0, 0, 1], 6).into(), ([10, 0, 0, 2], 5).into());
    for _ in 0..10 {
        expect!["401 token: the token is not one of this server's"]
            .assert_eq(&sign_in(&api, "nothing", one).await.failure());
    }
    clock.advance(Duration::from_secs(20));
    let refused = sign_in(&api, FIRST, same).await;
    expect!["429 too_many_attempts: too many attempts with a wrong token: try again in 40 s"]
        .assert_eq(&refused.failure());
    assert_eq!(refused.headers["retry-after"], "40");
    assert_eq!(sign_in(&api, FIRST, other).await.status, StatusCode::OK);
    clock.advance(Duration::from_secs(40));
    assert_eq!(sign_in(&api, FIRST, one).await.status, StatusCode::OK);
}

/// A caller with many addresses neither fills the memory nor gets around the limit.
#[tokio::test]
async fn addresses_beyond_those_that_are_told_apart_are_counted_as_one() {
    let (api, _) = with_token();
    let address = |number: u32| SocketAddr::from(((0x0a00_0000 + number).to_be_bytes(), 5));
    for number in 0..1_024 + 10 {
        assert_eq!(
            sign_in(&api, "nothing", address(number)).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let beyond = sign_in(&api, "nothing", address(5_000)).await;
    assert_eq!(beyond.status, StatusCode::TOO_MANY_REQUESTS);
    let known = sign_in(&api, FIRST, address(3)).await;
    assert_eq!(known.status, StatusCode::OK, "an address that is counted by itself");
    let of_network = |host: u16| SocketAddr::from(([0xfd00, 0, 0, 9, 0, 0, 0, host], 5));
    let (api, _) = with_token();
    for host in 0..10 {
        sign_in(&api, "nothing", of_network(host)).await;
    }
    assert_eq!(sign_in(&api, FIRST, of_network(99)).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn without_a_token_there_is_nothing_to_sign_in_to() {
    let api = api();
    let open = r#"{"token_needed":false,"signed_in":false}"#;
    assert_eq!(status(&api, &[]).await, open);
    let answer = sign_in(&api, FIRST, ([127, 0, 0, 1], 1).into()).await;
    assert_eq!((answer.text.as_str(), answer.headers.get("set-cookie")), (open, None));
}

#[tokio::test]
async fn a_body_that_is_no_token_is_refused_by_name() {
    let (api, _) = with_token();
    let ask = async |kind: &str, body: &str| {
        let request = request(Method::POST, "/v1/session").header("content-type", kind);
        send(&api.router, request.body(Body::from(body.to_owned())).unwrap()).await
    };
    expect![[r#"422 bad_body: the body is not what it should be: missing field `token` at line 1 column 2; it looks like {"token": "0123…"}, a line of the server's token file"#]].assert_eq(&ask("application/json", "{}").await.failure());
    assert_eq!(ask("text/plain", "x").await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let large = format!("{{\"token\":\"{}\"}}", "x".repeat(20_000));
    assert_eq!(ask("application/json", &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let put = request(Method::PUT, "/v1/session").body(Body::empty()).unwrap();
    assert_eq!(send(&api.router, put).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

/// A live stream that was opened with a cookie, and what it sends until it ends.
async fn live(api: &Api, cookie: &str) -> Body {
    let request = request(Method::GET, "/v1/pipelines/sales/live").header("cookie", cookie);
    let request = request.body(Body::empty()).unwrap();
    let Ok(response) = TowerToHyperService::new(api.router.clone()).call(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body()
}

async fn to_its_end(stream: Body) -> String {
    String::from_utf8(to_bytes(stream, 1 << 20).await.unwrap().to_vec()).unwrap()
}

const ENDED: &str = "event: ended\n\
    data: {\"code\":\"session\",\"message\":\"the session has ended: sign in again\"}\n\n";

#[tokio::test]
async fn a_live_stream_ends_with_its_session_and_says_so() {
    let (api, clock) = with_token();
    let (mine, other) = (cookie(&api).await, cookie(&api).await);
    let (signed_out, other) = (live(&api, &mine).await, live(&api, &other).await);
    let out = [("cookie", mine.as_str()), ("origin", OWN)];
    ask(&api, Method::DELETE, "/v1/session", &out).await;
    assert_eq!(to_its_end(signed_out).await, ENDED);

    clock.advance(SESSION_TIME);
    assert!(to_its_end(other).await.ends_with(ENDED), "it was kept open until then");

    let first = cookie(&api).await;
    let pushed_out = live(&api, &first).await;
    for _ in 0..64 {
        cookie(&api).await;
    }
    assert!(to_its_end(pushed_out).await.ends_with(ENDED));
}

#[tokio::test]
async fn a_live_stream_of_a_program_does_not_end_with_anybodys_session() {
    let (api, clock) = with_token();
    let token = format!("Bearer {FIRST}");
    let request = request(Method::GET, "/v1/pipelines/sales/live").header("authorization", token);
    let request = request.body(Body::empty()).unwrap();
    let Ok(response) = TowerToHyperService::new(api.router.clone()).call(request).await;
    clock.advance(2 * SESSION_TIME);
    api.shutdown.cancel();
    let text = to_its_end(response.into_body()).await;
    assert!(!text.contains("event: ended"), "{text}");
}
