//! What every request gets, whichever it is.

use axum::middleware::from_fn_with_state;
use axum::routing::get;
use expect_test::expect;

use super::routes::finish;
use super::*;

#[tokio::test]
async fn what_is_not_there_and_wrong_methods_fail_in_json() {
    let api = api();
    let nowhere = get_path(&api.router, "/v1/nowhere").await;
    expect![[r#"404 no_such_path: there is nothing at `/v1/nowhere`: see docs/http.md"#]]
        .assert_eq(&nowhere.failure());
    let delete = request(Method::DELETE, "/v1/modules/valid").body(Body::empty()).unwrap();
    let wrong = send(&api.router, delete).await;
    expect![[r#"405 method: `/v1/modules/valid` does not take DELETE: the `Allow` header says what it takes"#]].assert_eq(&wrong.failure());
    let mut allowed: Vec<_> = wrong.headers["allow"].to_str().unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "PUT"]);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_is_neither_sniffed_nor_stored() {
    let api = api();
    let ask = async |id: &str| {
        let request = request(Method::GET, "/v1/pipelines").header("x-request-id", id);
        send(&api.router, request.body(Body::empty()).unwrap()).await
    };
    let own = ask("deploy-17").await;
    assert_eq!(own.headers["x-request-id"], "deploy-17");
    assert_eq!(own.headers["x-content-type-options"], "nosniff");
    assert_eq!(own.headers["cache-control"], "no-store");
    for bad in ["", "a b", &"x".repeat(65)] {
        let made = ask(bad).await.headers["x-request-id"].clone();
        assert_eq!(made.len(), 32, "{bad}: {made:?}");
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_that_shows_nothing_of_it() {
    async fn boom() -> &'static str {
        panic!("the password is 123")
    }
    let router = finish(Router::new().route("/boom", get(boom)));
    expect![[r#"500 internal: something failed inside; the log has it under the `x-request-id` of this answer"#]].assert_eq(&get_path(&router, "/boom").await.failure());
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let slow = get(std::future::pending::<()>);
    let slow = slow.route_layer(from_fn_with_state(Duration::from_millis(5), request::deadline));
    let router = finish(Router::new().route("/slow", slow));
    let answer = get_path(&router, "/slow").await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{answer:?}");
}
