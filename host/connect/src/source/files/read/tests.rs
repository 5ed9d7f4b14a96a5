//! Readers by themselves, over stores that fail as a test wants it.

use std::io::Write;

use bytes::Bytes;
use object_store::path::Path;
use tokio::sync::mpsc::{Receiver, channel};

use super::*;
use crate::source::files::list::checksum_of;
use sluicegate_testing::careless::{CarelessStore, Carelessness};
use sluicegate_testing::gate::{Gate, GatedStore};
use sluicegate_testing::torn::TornStore;

/// More news than any of these readers has.
const NEWS_MAX: usize = 1_000;

fn partition(name: &str) -> Partition {
    Partition { stream: Arc::from(name), number: 0 }
}

fn part(name: &str, size: u64, packing: Packing) -> FilePart {
    let file = FileEntry { path: Path::from(name), stream: Arc::from(name), size, tag: 0, packing };
    let end = i64::try_from(size).unwrap();
    FilePart { start: 0, end, checksum: 0, checksum_open: 0, file }
}

/// Reads one file from its start, of which nothing is known.
fn reader(store: Arc<dyn ObjectStore>, part: FilePart) -> (Reader, Receiver<FromReader>) {
    let (sender, receiver) = channel(NEWS_MAX);
    let reader = Reader {
        store,
        track: partition(&part.file.stream),
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
    (reader, receiver)
}

/// Where the lines begin that it has handed on, and its last words.
async fn read(reader: Reader, mut receiver: Receiver<FromReader>) -> (Vec<i64>, News) {
    reader.run().await;
    let mut offsets = Vec::new();
    loop {
        match receiver.recv().await.expect("it says how it ends").news {
            News::Lines(lines) => offsets.extend(lines.offsets),
            News::Head(_) => {}
            last => return (offsets, last),
        }
    }
}

#[test]
fn what_one_reader_can_do_again_says_nothing_of_another() {
    let trouble = Trouble::default();
    let [one, other] = ["a", "b"].map(|name| TroubleWith::Reader(partition(name), 1));
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
    let store = Arc::new(GatedStore::new(Gate::Panics));
    let (reader, mut receiver) = reader(store, part("in/a.json", 9, Packing::Plain));
    reader.run().await;
    let said = receiver.recv().await.unwrap();
    assert!(matches!(said, FromReader { run: 3, news: News::Panicked, .. }));
}

#[tokio::test]
async fn a_reader_that_is_called_off_takes_its_trouble_with_it() {
    let store = Arc::new(CarelessStore::new(Carelessness::Denies));
    let (reader, _receiver) = reader(store, part("in/a.json", 9, Packing::Plain));
    let trouble = Arc::clone(&reader.trouble);
    let reading = tokio::spawn(reader.run());
    while trouble.get().is_none() {
        tokio::task::yield_now().await;
    }
    reading.abort();
    assert!(reading.await.unwrap_err().is_cancelled());
    assert_eq!(trouble.get(), None);
}

/// Lines of twenty bytes each, several chunks of them.
fn lines(first: usize) -> Vec<u8> {
    let lines = (first..first + 4 * CHUNK_BYTES / 20).map(|n| format!("{{\"n\":{n:013}}}\n"));
    lines.collect::<String>().into_bytes()
}

/// Packed so that it is no shorter: an answer that breaks off behind some chunks has chunks in it.
fn packed(packing: Packing, lines: &[u8]) -> Bytes {
    let packed = match packing {
        Packing::Plain => lines.to_owned(),
        Packing::Gzip | Packing::Zstd => {
            let level = flate2::Compression::none();
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(lines).unwrap();
            encoder.finish().unwrap()
        }
    };
    packed.into()
}

/// A reader that goes on at `start` of such a file, and an answer to it that breaks off in the middle. `then` lies in its
/// place when it asks again.
async fn torn(
    packing: Packing,
    is_single: bool,
    start: usize,
    then: Option<&[u8]>,
) -> (Vec<i64>, News) {
    let (store, lines) = (TornStore::default(), lines(0));
    let stored = packed(packing, &lines);
    let part = part("in/a.json", stored.len() as u64, packing);
    store.put(&part.file.path, stored.into()).await.unwrap();
    store.tear(2 * CHUNK_BYTES as u64, then.map(|then| packed(packing, then)));
    let (mut reader, receiver) = reader(Arc::new(store), part);
    reader.start = i64::try_from(start).unwrap();
    reader.is_single = is_single;
    let known = &lines[..start.min(HEAD_BYTES)];
    reader.head = (is_single && start > 0).then(|| checksum_of(known));
    read(reader, receiver).await
}

const KINDS: [(Packing, bool); 3] =
    [(Packing::Plain, true), (Packing::Plain, false), (Packing::Gzip, true)];

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_and_nothing_is_left_out() {
    for (packing, is_single) in KINDS {
        for start in [0, 20, 100, 1_000, 1_040, 4_000] {
            let (offsets, last) = torn(packing, is_single, start, None).await;
            let what = format!("{packing:?}, single: {is_single}, from {start}");
            assert!(matches!(last, News::Done(_)), "{what}: {:?}", reason(&last));
            let start = i64::try_from(start).unwrap();
            let end = i64::try_from(lines(0).len()).unwrap();
            assert!(offsets.into_iter().eq((start..end).step_by(20)), "{what}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_replaced_while_the_store_is_away_is_not_read_on() {
    for (packing, is_single) in KINDS {
        for start in [0, 20, 100, 1_000, 1_040, 4_000] {
            let (_, last) = torn(packing, is_single, start, Some(&lines(1_000_000))).await;
            let what = format!("{packing:?}, single: {is_single}, from {start}");
            let reason = reason(&last).expect(&what);
            assert!(reason.contains("does not begin as it did"), "{what}: {reason}");
        }
    }
}

/// Why it cannot be read on.
fn reason(news: &News) -> Option<&str> {
    match news {
        News::Lost { reason, .. } | News::Broken { reason } => Some(reason),
        _ => None,
    }
}

/// Positions hold a checksum of it, and the next reader compares the file with that.
#[tokio::test]
async fn how_a_file_begins_is_told_before_its_lines_wherever_it_is_read_on() {
    let lines = lines(0);
    for packing in [Packing::Plain, Packing::Gzip] {
        for start in [0, 20, 1_000, 1_040] {
            let store = TornStore::default();
            let stored = packed(packing, &lines);
            let part = part("in/a.json", stored.len() as u64, packing);
            store.put(&part.file.path, stored.into()).await.unwrap();
            let (mut reader, mut receiver) = reader(Arc::new(store), part);
            reader.start = start;
            reader.run().await;
            let first = receiver.recv().await.unwrap().news;
            let News::Head(head) = first else { panic!("{packing:?} from {start}") };
            assert_eq!(head, lines[..HEAD_BYTES], "{packing:?} from {start}");
        }
    }
}
