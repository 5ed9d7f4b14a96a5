//! The module store: numbers, names, digests, and what happens when two hosts upload at once.

use bytes::Bytes;
use expect_test::expect;
use object_store::ObjectStoreExt;

use super::{ModuleStore, ModuleStoreError, VersionChoice};
use sluicegate_store::Location;

fn store() -> ModuleStore {
    ModuleStore::new(Location::in_memory().child("root"))
}

const FIRST: Bytes = Bytes::from_static(b"first");
const SECOND: Bytes = Bytes::from_static(b"second");

#[tokio::test]
async fn versions_are_numbered_by_name_and_kept_by_digest() {
    let store = store();
    let one = store.put("valid-sale", FIRST).await.unwrap();
    let two = store.put("valid-sale", SECOND).await.unwrap();
    let other = store.put("other", FIRST).await.unwrap();
    assert_eq!((one.number, two.number, other.number), (1, 2, 1));
    assert_eq!((one.digest, one.bytes), (other.digest, 5));
    assert_eq!(store.get(&two.digest).await.unwrap(), SECOND);
    // A host that starts later sees the same.
    let later = ModuleStore::new(store.location.clone());
    assert_eq!(later.list().await.unwrap(), [other, one.clone(), two]);
    let object = store.location.path(&super::paths::version("valid-sale", 1));
    let put = store.location.store.head(&object).await.unwrap().last_modified;
    assert_eq!(one.uploaded.micros(), put.timestamp_micros());
}

#[tokio::test]
async fn the_newest_bytes_once_more_are_the_same_version() {
    let store = store();
    let one = store.put("a", FIRST).await.unwrap();
    assert_eq!(store.put("a", FIRST).await.unwrap(), one);
    store.put("a", SECOND).await.unwrap();
    assert_eq!(store.put("a", FIRST).await.unwrap().number, 3, "going back is a new version");
}

#[tokio::test]
async fn no_version_names_bytes_that_are_not_there() {
    let store = store();
    let digest = store.put("a", FIRST).await.unwrap().digest;
    // The store says that it exists, and what lies there is something else.
    let path = store.location.path(&super::paths::bytes(&digest, 0));
    store.location.store.put(&path, SECOND.into()).await.unwrap();
    let error = store.put("b", FIRST).await.unwrap_err();
    assert!(matches!(error, ModuleStoreError::Damaged { .. }), "{error}");
    assert!(store.resolve("b", None).await.is_err(), "there is no version of it");
}

#[tokio::test]
async fn the_last_number_that_there_is_has_no_next() {
    let store = store();
    let version = store.put("a", FIRST).await.unwrap();
    let object = super::VersionObject { v: 1, digest: version.digest, bytes: 5 };
    let body = serde_json::to_vec(&object).unwrap();
    let last = store.location.path(&super::paths::version("a", u64::MAX));
    store.location.store.put(&last, body.into()).await.unwrap();
    let error = store.put("a", SECOND).await.unwrap_err();
    assert!(matches!(error, ModuleStoreError::Contended { .. }), "{error}");
}

#[tokio::test]
async fn uploads_at_once_get_different_numbers() {
    let store = store();
    let uploads = (0..8).map(|n: u32| {
        let store = ModuleStore::new(store.location.clone());
        async move { store.put("a", Bytes::from(n.to_string())).await.unwrap().number }
    });
    let mut numbers = futures::future::join_all(uploads).await;
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn versions_are_found_by_number_and_digest() {
    let store = store();
    let one = store.put("a", FIRST).await.unwrap();
    let two = store.put("a", SECOND).await.unwrap();
    let choice = |text: &str| text.parse::<VersionChoice>().unwrap();
    assert_eq!(store.resolve("a", None).await.unwrap(), two);
    assert_eq!(store.resolve("a", Some(&choice("1"))).await.unwrap(), one);
    let prefix = one.digest.short();
    assert_eq!(store.resolve("a", Some(&choice(&prefix))).await.unwrap(), one);
    let again = store.put("a", FIRST).await.unwrap();
    assert_eq!(store.resolve("a", Some(&choice(&prefix))).await.unwrap(), again);

    let error = store.resolve("a", Some(&choice("9"))).await.unwrap_err();
    expect!["module `a` has no version 9; its newest is 3"].assert_eq(&error.to_string());
    let error = store.resolve("b", None).await.unwrap_err();
    expect!["there is no module `b` in memory://store/root; upload it with `sluicegate plugin push b FILE`"]
        .assert_eq(&error.to_string());
    let error = "v1".parse::<VersionChoice>().unwrap_err();
    expect![
        "`v1` is not a version of a module: write its number, or at least 6 digits of its digest"
    ]
    .assert_eq(&error.to_string());
}

#[tokio::test]
async fn names_are_plain() {
    let store = store();
    for name in ["", "-a", "A", "a/b", "a_b", "..", "a\n", &"a".repeat(64)] {
        let error = store.put(name, FIRST).await.unwrap_err();
        assert!(matches!(error, ModuleStoreError::Name { .. }), "{name:?}: {error}");
    }
    store.put(&"a".repeat(63), FIRST).await.unwrap();
    store.put("0", FIRST).await.unwrap();
}

#[tokio::test]
async fn damaged_bytes_are_not_handed_out() {
    let store = store();
    let one = store.put("a", FIRST).await.unwrap();
    let path = store.location.path(&super::paths::bytes(&one.digest, 0));
    store.location.store.put(&path, Bytes::from_static(b"fist").into()).await.unwrap();
    let error = store.get(&one.digest).await.unwrap_err().to_string();
    assert!(error.contains("is damaged: its bytes have the digest"), "{error}");

    let path = store.location.path(&super::paths::version("a", 2));
    store.location.store.put(&path, Bytes::from_static(b"{}").into()).await.unwrap();
    let error = store.resolve("a", None).await.unwrap_err().to_string();
    assert!(error.contains("is damaged: it is not a version object"), "{error}");
}

#[tokio::test]
async fn what_is_not_ours_is_passed_over() {
    let store = store();
    store.put("a", FIRST).await.unwrap();
    for stray in ["modules/names/a/notes.txt", "modules/names/a/7.json", "modules/names/x.json"] {
        let path = store.location.path(stray);
        store.location.store.put(&path, FIRST.into()).await.unwrap();
    }
    assert_eq!(store.list().await.unwrap().len(), 1);
}
