//! Objects that go up in parts: what is sent again after a failure, what lies in the store meanwhile and afterwards.

use bytes::Bytes;

use super::super::once::{Created, Immutable};
use super::super::upload::{Aborts, Upload};
use super::*;
use sluicegate_testing::parted::{Ask, Fault, PartedStore};

/// Five parts of four bytes, the last of which is shorter.
const BYTES: &[u8] = b"0000111122223333444";

/// All of the store, with parts of so many bytes.
fn in_parts(store: &PartedStore, bytes: u64) -> Location {
    let parts = Some(Parts { store: Arc::new(store.clone()), bytes });
    Location { store: Arc::new(store.clone()), parts, ..Location::in_memory() }
}

struct Sender {
    store: PartedStore,
    location: Location,
    path: Path,
    object: Immutable,
    aborts: Aborts,
}

impl Sender {
    fn new() -> Self {
        let store = PartedStore::default();
        let location = in_parts(&store, 4);
        let (path, object) = (Path::from("state"), Immutable::new(BYTES.into()));
        Self { store, location, path, object, aborts: Aborts::new() }
    }

    fn upload(&self) -> Upload<'_> {
        Upload::new(&self.location, &self.path, &self.object, &self.aborts)
    }

    /// The bytes at the name, if there are any.
    async fn found(&self) -> Option<Bytes> {
        Some(self.store.get(&self.path).await.ok()?.bytes().await.unwrap())
    }

    /// How often each part was sent.
    fn sends(&self) -> Vec<usize> {
        let asked = self.store.asked();
        let sends = |part| asked.iter().filter(|ask| **ask == Ask::Part(part)).count();
        (0..5).map(sends).collect()
    }

    /// Ends the process: what was given up is aborted.
    async fn end(self) -> PartedStore {
        self.aborts.finish().await;
        self.store
    }
}

#[tokio::test]
async fn a_large_object_goes_up_in_parts_and_is_seen_when_it_is_whole() {
    let sender = Sender::new();
    sender.store.fail(Ask::Complete, Fault::Before);
    let mut upload = sender.upload();
    assert!(matches!(upload.attempt().await, Created::Unknown(_)));
    assert_eq!((sender.sends(), sender.found().await), (vec![1; 5], None), "nobody sees parts");
    assert!(matches!(upload.attempt().await, Created::Ours));
    assert_eq!((sender.sends(), sender.found().await), (vec![1; 5], Some(BYTES.into())));
    drop(upload);
    assert_eq!(sender.end().await.open_uploads(), 0);
}

#[tokio::test]
async fn an_object_of_two_parts_goes_up_whole() {
    let sender = Sender { object: Immutable::new(BYTES[..8].into()), ..Sender::new() };
    assert!(matches!(sender.upload().attempt().await, Created::Ours));
    assert_eq!((sender.store.asked(), sender.found().await), (vec![], Some(BYTES[..8].into())));
}

#[tokio::test]
async fn a_part_that_fails_is_sent_again_and_no_other() {
    let sender = Sender::new();
    sender.store.fail(Ask::Part(3), Fault::Before);
    sender.store.fail(Ask::Part(3), Fault::After);
    let mut upload = sender.upload();
    assert!(matches!(upload.attempt().await, Created::Unknown(_)));
    assert!(matches!(upload.attempt().await, Created::Unknown(_)));
    assert!(matches!(upload.attempt().await, Created::Ours));
    assert_eq!((sender.sends(), sender.found().await), (vec![1, 1, 1, 3, 1], Some(BYTES.into())));
}

#[tokio::test]
async fn a_completion_whose_answer_is_lost_is_found_by_looking() {
    let sender = Sender::new();
    sender.store.fail(Ask::Complete, Fault::After);
    assert!(matches!(sender.upload().attempt().await, Created::Ours));
    assert_eq!((sender.sends(), sender.found().await), (vec![1; 5], Some(BYTES.into())));
    assert_eq!(sender.end().await.open_uploads(), 0);
}

#[tokio::test]
async fn an_upload_that_the_store_has_forgotten_is_begun_anew() {
    let sender = Sender::new();
    sender.store.fail(Ask::Complete, Fault::Forget);
    let mut upload = sender.upload();
    assert!(matches!(upload.attempt().await, Created::Unknown(_)));
    assert!(matches!(upload.attempt().await, Created::Ours));
    assert_eq!((sender.sends(), sender.found().await), (vec![2; 5], Some(BYTES.into())));
}

#[tokio::test]
async fn an_upload_that_cannot_be_completed_is_begun_anew() {
    let sender = Sender::new();
    let mut upload = sender.upload();
    for _ in 0..3 {
        sender.store.fail(Ask::Complete, Fault::Before);
        assert!(matches!(upload.attempt().await, Created::Unknown(_)));
    }
    assert!(matches!(upload.attempt().await, Created::Ours));
    assert_eq!((sender.sends(), sender.found().await), (vec![2; 5], Some(BYTES.into())));
    drop(upload);
    assert_eq!(sender.end().await.open_uploads(), 0, "the first one is aborted");
}

#[tokio::test]
async fn what_other_hands_put_under_the_name_stays() {
    let sender = Sender::new();
    sender.store.put(&sender.path, "something else".into()).await.unwrap();
    assert!(matches!(sender.upload().attempt().await, Created::Taken));
    assert_eq!(sender.store.asked(), [], "nothing is sent");
    assert_eq!(sender.found().await.unwrap(), "something else");
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_no_part() {
    let sender = Sender::new();
    sender.store.fail(Ask::Part(2), Fault::Silence);
    let mut upload = sender.upload();
    tokio::select! {
        created = upload.attempt() => panic!("{created:?}"),
        () = sender.store.silence() => {}
    }
    assert_eq!(sender.store.open_uploads(), 1);
    drop(upload);
    let store = sender.end().await;
    assert_eq!((store.open_uploads(), store.asked().last()), (0, Some(&Ask::Abort)));
}
