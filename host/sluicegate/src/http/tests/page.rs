//! The console's files: how they are sent, to whom, and what the page may do.

use expect_test::expect;

use super::access::with_tokens;
use super::*;

/// Asks with further headers.
async fn ask(
    router: &Router,
    path: &str,
    headers: &[(&str, &str)],
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let Ok(response) = TowerToHyperService::new(router.clone()).call(request).await;
    let (head, body) = response.into_parts();
    (head.status, head.headers, to_bytes(body, 1 << 20).await.unwrap().to_vec())
}

#[tokio::test]
async fn the_page_is_sent_with_the_rules_that_it_lives_by() {
    let api = api();
    let (status, headers, body) = ask(&api.router, "/", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(String::from_utf8(body).unwrap().starts_with("<!doctype html>"));
    let lines: String = headers
        .iter()
        .filter(|(name, _)| !["etag", "x-request-id", "content-length"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    expect![[r#"
        content-type: text/html; charset=utf-8
        content-security-policy: default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
        referrer-policy: no-referrer
        cross-origin-opener-policy: same-origin
        cross-origin-resource-policy: same-origin
        cache-control: no-cache
        vary: accept-encoding
        x-content-type-options: nosniff
    "#]]
    .assert_eq(&lines);
    let (_, headers, _) = ask(&api.router, "/console/app.js", &[]).await;
    assert_eq!(headers["content-type"], "text/javascript; charset=utf-8");
    let answer = get_path(&api.router, "/console/no/such.js").await;
    expect!["404 no_such_path: there is nothing at `/console/no/such.js`: see docs/http.md"]
        .assert_eq(&answer.failure());
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let api = api();
    let ask = async |headers: &[(&str, &str)]| ask(&api.router, "/console/app.js", headers).await;
    let (_, plain, bytes) = ask(&[]).await;
    let (_, packed, _) = ask(&[("accept-encoding", "gzip")]).await;
    let plain_tag = plain["etag"].to_str().unwrap();
    let packed_tag = packed["etag"].to_str().unwrap();
    assert_ne!(plain_tag, packed_tag, "a tag names bytes");
    for known in [plain_tag, &format!("W/{plain_tag}"), &format!("\"x\", {plain_tag}"), "*"] {
        let (status, headers, body) = ask(&[("if-none-match", known)]).await;
        assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{known}");
        assert_eq!(headers["etag"], plain_tag);
        assert_eq!(headers["cache-control"], "no-cache");
    }
    for other in [packed_tag, "\"x\"", ""] {
        let (status, _, body) = ask(&[("if-none-match", other)]).await;
        assert_eq!((status, &body), (StatusCode::OK, &bytes), "{other}");
    }
    let both = [("accept-encoding", "gzip"), ("if-none-match", packed_tag)];
    assert_eq!(ask(&both).await.0, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_browser_that_takes_gzip_gets_it() {
    use std::io::Read as _;
    let api = api();
    let (_, headers, plain) = ask(&api.router, "/console/app.js", &[]).await;
    assert!(!headers.contains_key("content-encoding"));
    for yes in ["gzip", "br, GZIP;q=0.5", "*", "gzip ; q=1.0, *;q=0"] {
        let (_, headers, packed) =
            ask(&api.router, "/console/app.js", &[("accept-encoding", yes)]).await;
        assert_eq!(headers["content-encoding"], "gzip", "{yes}");
        assert!(packed.len() < plain.len());
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
    }
    for no in ["", "br", "gzip;q=0", "*;q=1, gzip;q=0.0", "gzip;q=x", "identity"] {
        let (_, headers, body) =
            ask(&api.router, "/console/app.js", &[("accept-encoding", no)]).await;
        assert!(!headers.contains_key("content-encoding"), "{no}");
        assert_eq!(body, plain);
    }
}

#[tokio::test]
async fn the_page_is_public_and_nothing_that_it_asks_for_is() {
    let api = with_tokens();
    for path in ["/", "/console/app.js", "/console/style.css"] {
        assert_eq!(get_path(&api.router, path).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/v1/pipelines", "/metrics", "/console", "/index.html"] {
        assert_eq!(get_path(&api.router, path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(get_path(&api.observe, "/").await.status, StatusCode::NOT_FOUND);
    let post = request(Method::POST, "/").body(Body::empty()).unwrap();
    assert_eq!(send(&api.router, post).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn under_a_foreign_name_there_is_no_page() {
    let api = api();
    let request = Request::get("/").header("host", "rebound.example").body(Body::empty()).unwrap();
    assert_eq!(send(&api.router, request).await.status, StatusCode::FORBIDDEN);
}

/// A page of 150 kB opens within a second on a slow line.
#[test]
fn every_file_has_a_known_kind_and_all_together_are_small() {
    let files = crate::http::page::listed();
    for (path, content_type, _) in &files {
        assert_ne!(
            *content_type, "application/octet-stream",
            "console/{path}: name its kind in http/page.rs"
        );
    }
    let bytes: usize = files.iter().map(|(_, _, bytes)| bytes).sum();
    assert!(bytes < 150_000, "the console's files have {bytes} bytes compressed");
}
