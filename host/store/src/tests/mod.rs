//! Local puts as they lie on disk; errors of a cloud store as its client really makes them, from canned replies.

mod probe;
mod reading;
mod progress;
mod upload;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;

use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutMode, PutOptions};

use super::failure::{StoreFailure, explain, is_absent, is_indeterminate};
use super::fleeting::put_fleeting;
use super::*;

fn options(variables: &[(&str, &str)]) -> StoreOptions {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment: BTreeMap<String, String> = variables.iter().map(own).collect();
    StoreOptions { environment }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn create_only() -> PutOptions {
    PutOptions { mode: PutMode::Create, ..PutOptions::default() }
}

#[test]
fn a_local_put_is_there_whole_and_creating_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("not/yet/there");
    let location = open(url.to_str().unwrap(), &options(&[])).unwrap();
    let path = location.child("a").path("b/c.json");
    runtime().block_on(async {
        let store = &location.store;
        store.put_opts(&path, "first".into(), create_only()).await.unwrap();
        let again = store.put_opts(&path, "second".into(), create_only()).await.unwrap_err();
        assert!(matches!(again, object_store::Error::AlreadyExists { .. }), "{again}");
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "first");
        store.put(&path, "third".into()).await.unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "third");
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        assert_eq!(listed.len(), 1);
    });
    assert_eq!(fs::read_to_string(url.join("a/b/c.json")).unwrap(), "third");
    assert_eq!(fs::read_dir(url.join(".staging")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn what_is_fleeting_is_seen_at_once_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let location = open(folder.path().to_str().unwrap(), &options(&[])).unwrap();
    let path = location.path("beats/1.json");
    runtime().block_on(async {
        for text in ["a long one", "short"] {
            put_fleeting(&location, &path, text.into()).await.unwrap();
            assert_eq!(location.store.get(&path).await.unwrap().bytes().await.unwrap(), text);
        }
    });
    assert_eq!(fs::read_dir(folder.path().join(".staging")).unwrap().count(), 0);
}

#[test]
fn a_name_is_taken_as_it_is_and_led_back_to() {
    let folder = tempfile::tempdir().unwrap();
    let location = open(folder.path().to_str().unwrap(), &options(&[])).unwrap().child("a");
    let name = "store=a%2Fb %25/São+&?#~`{}.json";
    runtime().block_on(async {
        location.store.put(&location.path(name), "first".into()).await.unwrap();
        let listed: Vec<_> =
            location.store.list(Some(&location.prefix)).try_collect().await.unwrap();
        assert_eq!(location.below(&listed[0].location), name);
        let read = location.store.get(&location.path(name)).await.unwrap().bytes().await;
        assert_eq!(read.unwrap(), "first");
    });
    assert_eq!(fs::read_to_string(folder.path().join("a").join(name)).unwrap(), "first");
}

#[test]
fn what_a_killed_process_staged_is_removed_and_what_is_being_staged_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().to_str().unwrap();
    let staging = folder.path().join(".staging");
    fs::create_dir(&staging).unwrap();
    fs::write(staging.join("1-a#0"), "of the dead").unwrap();
    let busy = File::create(staging.join("2-b#0")).unwrap();
    busy.lock().unwrap();
    let location = open(url, &options(&[])).unwrap();
    let left: Vec<_> =
        fs::read_dir(&staging).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["2-b#0"]);
    let listed: Vec<_> = runtime().block_on(location.store.list(None).try_collect()).unwrap();
    assert!(listed.is_empty(), "staging files are no objects");
}

#[test]
fn a_path_to_a_file_is_the_place_of_that_object() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sales.ndjson");
    fs::write(&file, "{}").unwrap();
    let location = open(&format!("file://{}", file.display()), &options(&[])).unwrap();
    let listed = runtime().block_on(location.store.head(&location.prefix)).unwrap();
    assert_eq!((listed.size, location.prefix.as_ref()), (2, "sales.ndjson"));
}

#[track_caller]
fn refusal(url: &str, variables: &[(&str, &str)]) -> String {
    open(url, &options(variables)).unwrap_err().to_string()
}

#[test]
fn urls_that_make_no_sense_are_refused_with_what_would_be_right() {
    expect_test::expect![[r#"
        `ftp://host/x` begins with `ftp://`: write a path, or `file://`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`
        `s3:///prefix` is not a place in a store: it names no bucket; write `s3://bucket/prefix`
        `file://` is not a place in a store: it names no path
        `az://tables` needs the environment variable `AZURE_STORAGE_ACCOUNT_NAME`: a container belongs to a storage account"#]]
    .assert_eq(
        &["ftp://host/x", "s3:///prefix", "file://", "az://tables"].map(|url| refusal(url, &[])).join("\n"),
    );
}

#[test]
fn variables_that_no_client_can_use_are_refused_by_name() {
    let address = refusal("s3://b/p", &[("AWS_ENDPOINT_URL", "127.0.0.1:9000")]);
    assert!(
        address.contains("`AWS_ENDPOINT_URL` = \"127.0.0.1:9000\" is not an address"),
        "{address}"
    );
    assert!(
        refusal("s3://b/p", &[("AWS_ENDPOINT_URL_S3", "http://")]).contains("is not an address")
    );
    assert!(refusal("az://b/p", &[("AZURE_ENDPOINT", "store")]).contains("AZURE_ENDPOINT"));
    let secret =
        refusal("s3://b/p", &[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "geheim\n")]);
    assert!(secret.contains("AWS_SECRET_ACCESS_KEY") && !secret.contains("geheim"), "{secret}");
}

#[test]
fn half_of_a_key_pair_a_profile_or_none_for_an_own_endpoint_name_the_variable() {
    let sentences = [
        refusal("s3://b", &[("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "")]),
        refusal("s3://b", &[("AWS_SECRET_ACCESS_KEY", "s")]),
        refusal("s3://b", &[("AWS_PROFILE", "dev")]),
        refusal("s3://b", &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")]),
    ];
    expect_test::expect![[r#"
        `s3://b` needs the environment variable `AWS_SECRET_ACCESS_KEY`: `AWS_ACCESS_KEY_ID` is set without it
        `s3://b` needs the environment variable `AWS_ACCESS_KEY_ID`: `AWS_SECRET_ACCESS_KEY` is set without it
        `s3://b` needs the environment variable `AWS_ACCESS_KEY_ID`: profiles are not read; `aws configure export-credentials --format env` prints the variables of one
        `s3://b` needs the environment variable `AWS_ACCESS_KEY_ID`: `AWS_ENDPOINT_URL` is set; for a store that asks for no credentials set `AWS_SKIP_SIGNATURE=true`"#]]
    .assert_eq(&sentences.join("\n"));
}

/// Answers every request with `reply` and hands back what was asked first.
fn canned(reply: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = vec![0; 64 * 1024];
        let length = connection.read(&mut request).unwrap();
        connection.write_all(reply.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (endpoint, served)
}

fn s3(endpoint: &str) -> Location {
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    open("s3://bucket/some/prefix", &options(&variables)).unwrap()
}

/// The error of a create-only put that is answered so, and the request.
fn failed_put(reply: &'static str) -> (object_store::Error, String) {
    let (endpoint, served) = canned(reply);
    let location = s3(&endpoint);
    let path = location.path("slot");
    let put = location.store.put_opts(&path, "x".into(), create_only());
    let error = runtime().block_on(put).unwrap_err();
    (error, served.join().unwrap())
}

#[test]
fn a_create_only_put_asks_path_style_and_signed_for_a_name_that_is_free() {
    let (error, request) =
        failed_put("HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n");
    assert!(matches!(error, object_store::Error::AlreadyExists { .. }), "{error}");
    let request = request.to_ascii_lowercase();
    assert!(request.starts_with("put /bucket/some/prefix/slot http/1.1"), "{request}");
    assert!(request.contains("if-none-match: *"), "{request}");
    assert!(request.contains("/us-east-1/s3/aws4_request"), "{request}");
}

#[test]
fn a_conflict_is_unknown_although_it_reads_as_already_exists() {
    let (error, _) = failed_put("HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n");
    assert!(matches!(error, object_store::Error::AlreadyExists { .. }), "{error}");
    assert!(is_indeterminate(&error));
}

#[test]
fn a_refusal_names_the_fix_and_certainly_did_nothing() {
    let replies = [
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 43\r\n\r\n<Error><Code>InvalidAccessKeyId</Code></Erro",
            "check the store's credentials",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 34\r\n\r\n<Error><Code>AccessDenied</Code></E",
            "rights to list, read, write",
        ),
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 34\r\n\r\n<Error><Code>NoSuchBucket</Code></E",
            "create the bucket",
        ),
        ("HTTP/1.1 301 Moved Permanently\r\ncontent-length: 0\r\n\r\n", "AWS_REGION"),
    ];
    for (reply, fix) in replies {
        let (error, _) = failed_put(reply);
        assert!(matches!(StoreFailure::of(&error), StoreFailure::Refused { .. }), "{error}");
        assert!(!is_indeterminate(&error) && !is_absent(&error), "{error}");
        let line = explain("put a record", &s3("http://127.0.0.1:1"), &error);
        assert!(line.starts_with("put a record in s3://bucket/some/prefix: "), "{line}");
        assert!(line.contains(fix), "{line}");
    }
}

/// What `explain` says of a listing that is answered so, or not at all.
fn failed_list(endpoint: &str) -> (object_store::Error, String) {
    let location = s3(endpoint);
    let listing = location.store.list(Some(&location.prefix));
    let error = runtime().block_on(listing.try_collect::<Vec<_>>()).unwrap_err();
    let line = explain("list", &location, &error);
    (error, line)
}

#[test]
fn a_listing_that_is_refused_names_the_fix_as_well() {
    let replies = [
        "HTTP/1.1 404 Not Found\r\ncontent-length: 71\r\n\r\n<Error><Code>NoSuchBucket</Code><Message>No such bucket</Message></Err>",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 45\r\n\r\n<Error><Code>SignatureDoesNotMatch</Code></Er",
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
    ];
    let lines = replies.map(|reply| {
        let (endpoint, served) = canned(reply);
        let (error, line) = failed_list(&endpoint);
        served.join().unwrap();
        assert!(matches!(StoreFailure::of(&error), StoreFailure::Refused { .. }), "{error}");
        line.replace(&endpoint, "http://server")
    });
    expect_test::expect![[r#"
        list in s3://bucket/some/prefix: No such bucket (NoSuchBucket); create the bucket, or correct its name in the URL
        list in s3://bucket/some/prefix: SignatureDoesNotMatch; check the store's credentials in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, …)
        list in s3://bucket/some/prefix: http://server: Server returned non-2xx status code: 403 Forbidden:; give the account (or the user of this process) the rights to list, read, write and delete there"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_server_that_is_away_is_named_with_the_reason_alone() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (error, line) = failed_list(&format!("http://{free}"));
    assert_eq!(StoreFailure::of(&error), StoreFailure::MayPass, "{error}");
    assert_eq!(
        line,
        format!(
            "list in s3://bucket/some/prefix: http://{free}: Connection refused (os error 111)"
        )
    );
}

#[test]
fn a_server_that_is_away_may_come_back_and_have_heard_an_attempt_before() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let location = s3(&format!("http://{free}"));
    let slot = location.path("slot");
    let put = location.store.put_opts(&slot, "x".into(), create_only());
    let error = runtime().block_on(put).unwrap_err();
    assert_eq!(StoreFailure::of(&error), StoreFailure::MayPass, "{error}");
    assert!(is_indeterminate(&error), "{error}");
}

#[test]
fn a_connection_that_breaks_during_a_put_leaves_it_unknown() {
    let (error, _) = failed_put("HTTP/1.1 200");
    assert_eq!(StoreFailure::of(&error), StoreFailure::MayPass, "{error}");
    assert!(is_indeterminate(&error), "{error}");
}

#[test]
fn an_object_that_is_not_there_is_absent() {
    let location = Location::in_memory();
    let error = runtime().block_on(location.store.get(&location.path("nothing"))).unwrap_err();
    assert!(is_absent(&error));
}
