//! Readers by themselves, over stores that fail as a test wants it.

use super::*;
use sluicegate_testing::gate::{Gate, GatedStore};

fn partition(name: &str) -> Partition {
    Partition { stream: Arc::from(name), number: 0 }
}

#[test]
fn what_one_track_can_do_again_says_nothing_of_another() {
    let trouble = Trouble::default();
    let [one, other] = ["a", "b"].map(|name| TroubleWith::Track(partition(name)));
    trouble.begin(&one, "a cannot be read".to_owned());
    trouble.begin(&other, "b cannot be read".to_owned());
    trouble.end(&one);
    assert_eq!(trouble.get().unwrap(), "b cannot be read");
    trouble.end(&TroubleWith::Listing);
    assert_eq!(trouble.get().unwrap(), "b cannot be read");
    trouble.end(&other);
    assert_eq!(trouble.get(), None);
}

#[tokio::test]
async fn a_reader_that_panics_says_so() {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let store = Arc::new(GatedStore::new(Gate::Panics));
    let path = object_store::path::Path::from("in/a.json");
    let packing = Packing::Plain;
    let file = FileEntry { path, stream: Arc::from("in/a.json"), size: 9, tag: 0, packing };
    let part = FilePart { start: 0, end: 9, checksum: 0, checksum_open: 0, file };
    let reader = Reader {
        store,
        track: partition("in/a.json"),
        run: 3,
        parts: vec![part],
        start: 0,
        last_line: LastLine::Counts,
        is_single: true,
        head: None,
        sender,
        buffers: Buffers::default(),
        bell: Bell::default(),
        trouble: Arc::default(),
    };
    reader.run().await;
    let said = receiver.recv().await.unwrap();
    assert!(matches!(said, FromReader { run: 3, news: News::Panicked, .. }));
}
