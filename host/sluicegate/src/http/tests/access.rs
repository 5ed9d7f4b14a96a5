//! Access: which requests are let in, and which are not, by host, origin and token.

use std::io::Write as _;

use expect_test::expect;

use super::*;

pub(super) const FIRST: &str = "0123456789abcdef0123456789abcdef";
const SECOND: &str = "fedcba9876543210fedcba9876543210";

pub(super) fn token_file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

pub(super) fn with_tokens() -> Api {
    let file = token_file(&format!("# rotated in November\n{FIRST}\n\n{SECOND}\n"));
    api_with(Access::new([0, 0, 0, 0].into(), Some(file.path()), &[]).unwrap())
}

#[test]
fn without_a_token_the_server_listens_on_loopback_only() {
    for address in ["127.0.0.1", "127.9.9.9", "::1"] {
        Access::new(address.parse().unwrap(), None, &[]).unwrap();
    }
    for address in ["0.0.0.0", "192.168.1.7", "::"] {
        let error = Access::new(address.parse().unwrap(), None, &[]).unwrap_err();
        assert!(matches!(error, ServeError::NoToken { .. }), "{error}");
    }
    let error = Access::new([0, 0, 0, 0].into(), None, &[]).unwrap_err().to_string();
    expect![[r#"the server refuses to listen on `0.0.0.0` without a token: others than this machine could upload code; give --token-file, or listen on 127.0.0.1"#]].assert_eq(&error);
}

#[test]
fn a_token_file_that_protects_nothing_is_refused() {
    let problem = |text: &str| {
        let file = token_file(text);
        let error = Access::new([0, 0, 0, 0].into(), Some(file.path()), &[]).unwrap_err();
        let path = file.path().display().to_string();
        error.to_string().replace(&path, "FILE")
    };
    expect![[r#"the token file `FILE` holds a token of 7 characters, at least 32 are wanted: `openssl rand -hex 32` makes one"#]].assert_eq(&problem("hunter2\n"));
    expect![[r#"the token file `FILE` holds 0 tokens, one a line, at most 8"#]]
        .assert_eq(&problem("# nothing yet\n"));
    let missing = std::path::Path::new("no/such/file");
    let error = Access::new([0, 0, 0, 0].into(), Some(missing), &[]).unwrap_err().to_string();
    expect![[r#"cannot read the token file `no/such/file`"#]].assert_eq(&error);
}

#[tokio::test]
async fn each_token_of_the_file_opens_and_nothing_else_does() {
    let api = with_tokens();
    let ask = async |authorization: Option<String>| {
        let mut request = request(Method::GET, "/v1/pipelines");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        send(&api.router, request.body(Body::empty()).unwrap()).await
    };
    for token in [FIRST, SECOND] {
        assert_eq!(ask(Some(format!("Bearer {token}"))).await.status, StatusCode::OK);
        assert_eq!(ask(Some(format!("bearer  {token} "))).await.status, StatusCode::OK);
    }
    expect![[r#"401 token: this server wants a token: `Authorization: Bearer …`"#]]
        .assert_eq(&ask(None).await.failure());
    expect![[r#"401 token: the token is not one of this server's"#]]
        .assert_eq(&ask(Some(format!("Bearer {FIRST}0"))).await.failure());
    for wrong in [format!("Basic {FIRST}"), FIRST.to_owned(), "Bearer".to_owned(), "é".to_owned()]
    {
        assert_eq!(ask(Some(wrong.clone())).await.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
}

#[tokio::test]
async fn with_a_token_every_path_wants_it_and_the_own_listener_of_health_does_not() {
    let api = with_tokens();
    for path in ["/metrics", "/health/ready", "/no/such", "/v1/pipelines/sales/live"] {
        assert_eq!(get_path(&api.router, path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/metrics", "/health/ready", "/health/live"] {
        assert_eq!(get_path(&api.observe, path).await.status, StatusCode::OK, "{path}");
    }
    assert_eq!(get_path(&api.observe, "/v1/pipelines").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_a_token_a_foreign_name_of_this_machine_is_refused() {
    let named = Access::new([127, 0, 0, 1].into(), None, &["Gate.local".to_owned()]).unwrap();
    let api = api_with(named);
    let ask = async |host: &str| {
        let request = Request::get("/v1/pipelines").header("host", host);
        send(&api.router, request.body(Body::empty()).unwrap()).await
    };
    for host in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "gate.local:8080"] {
        assert_eq!(ask(host).await.status, StatusCode::OK, "{host}");
    }
    expect![[r#"403 foreign_host: this server does not know itself as `rebound.example`: use one of localhost, 127.0.0.1, [::1], gate.local, or name it with --allow-host"#]].assert_eq(&ask("rebound.example:8080").await.failure());
    assert_eq!(ask("").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_web_page_of_another_origin_changes_nothing() {
    let api = api();
    let ask = async |method: Method, origin: &str| {
        let request = request(method, "/v1/pipelines/sales/releases").header("origin", origin);
        send(&api.router, request.body(Body::empty()).unwrap()).await
    };
    for origin in ["https://evil.example", "http://127.0.0.1:3000", "null", "http://127.0.0.1"] {
        let answer = ask(Method::POST, origin).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin}");
    }
    expect![[r#"403 foreign_origin: requests of web pages of another origin are refused; use the command line or curl"#]].assert_eq(&ask(Method::POST, "null").await.failure());
    let own = ask(Method::POST, "http://127.0.0.1:8080").await;
    assert_eq!(own.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "the guard lets it through");
    assert_eq!(ask(Method::GET, "https://evil.example").await.status, StatusCode::OK);
}
