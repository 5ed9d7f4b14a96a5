//! Reading over a line that breaks: it goes on where it was, and ends when nothing more comes.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutPayload, PutResult, Result,
};

use super::super::read;
use super::*;

/// Gives so many bytes of each answer, then the connection breaks.
#[derive(Debug)]
struct Breaking {
    inner: InMemory,
    bytes_each: AtomicUsize,
    asked: Mutex<Vec<Range<u64>>>,
}

impl Breaking {
    /// With an object of 100 bytes.
    async fn new(bytes_each: usize) -> (Arc<Self>, Location, Path) {
        let store = Arc::new(Self {
            inner: InMemory::new(),
            bytes_each: bytes_each.into(),
            asked: Mutex::default(),
        });
        let path = Path::from("state");
        store.inner.put(&path, object().into()).await.unwrap();
        let location =
            Location { store: Arc::clone(&store) as Arc<dyn ObjectStore>, ..Location::in_memory() };
        (store, location, path)
    }
}

fn object() -> Vec<u8> {
    (0..100).collect()
}

impl fmt::Display for Breaking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("breaking store")
    }
}

#[async_trait]
impl ObjectStore for Breaking {
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let GetResult { meta, range, attributes, payload: _ } =
            self.inner.get_opts(path, options.clone()).await?;
        self.asked.lock().unwrap().push(range.clone());
        let bytes = self.inner.get_opts(path, options).await?.bytes().await?;
        let given = bytes.slice(..bytes.len().min(self.bytes_each.load(Ordering::Relaxed)));
        let broken = (given.len() < bytes.len())
            .then(|| Err(Error::Generic { store: "breaking", source: "connection reset".into() }));
        let chunks = futures::stream::iter([Ok(given)].into_iter().chain(broken));
        let payload = GetResultPayload::Stream(chunks.boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        unreachable!("only read")
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        unreachable!("only read")
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        paths
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        unreachable!("only read")
    }
}

#[tokio::test]
async fn a_reading_goes_on_where_the_connection_broke() {
    let (store, location, path) = Breaking::new(30).await;
    assert_eq!(read::whole(&location, &path).await.unwrap(), object());
    assert_eq!(*store.asked.lock().unwrap(), [0..100, 30..100, 60..100, 90..100]);
}

#[tokio::test]
async fn a_reading_to_which_nothing_more_comes_ends() {
    let (store, location, path) = Breaking::new(30).await;
    let taken = read::each_chunk(&location, &path, |_, _| {
        store.bytes_each.store(0, Ordering::Relaxed);
        true
    });
    let error = taken.await.unwrap_err();
    assert!(error.to_string().contains("connection reset"), "{error}");
    let mut asked = store.asked.lock().unwrap().clone();
    assert_eq!(asked.remove(0), 0..100);
    assert_eq!(asked, vec![30..100; 4]);
}

#[tokio::test]
async fn a_reading_that_did_not_begin_is_not_tried_twice() {
    let (store, location, path) = Breaking::new(0).await;
    assert!(read::whole(&location, &path).await.is_err());
    assert_eq!(store.asked.lock().unwrap().len(), 1);
    let error = read::whole(&location, &Path::from("nothing")).await.unwrap_err();
    assert!(is_absent(&error), "{error}");
}

#[tokio::test]
async fn an_empty_object_is_read_and_whoever_has_enough_reads_no_further() {
    let (store, location, path) = Breaking::new(30).await;
    let empty = Path::from("empty");
    store.inner.put(&empty, Bytes::new().into()).await.unwrap();
    assert_eq!(read::whole(&location, &empty).await.unwrap(), Bytes::new());
    assert_eq!(read::each_chunk(&location, &path, |_, _| false).await.unwrap(), 100);
    assert_eq!(store.asked.lock().unwrap().len(), 2);
}

/// What is read of an object in turn; the last for ever.
#[derive(Debug)]
struct Changing {
    inner: InMemory,
    shown: Mutex<Vec<&'static str>>,
}

impl Changing {
    /// What a check that wants `whole` makes of it, and how many readings are left.
    async fn checked(shown: &[&'static str]) -> (std::result::Result<Bytes, Bytes>, usize) {
        let shown = Mutex::new(shown.iter().rev().copied().collect());
        let store = Arc::new(Self { inner: InMemory::new(), shown });
        let location =
            Location { store: Arc::clone(&store) as Arc<dyn ObjectStore>, ..Location::in_memory() };
        let check = |bytes: Bytes| if bytes == "whole" { Ok(bytes) } else { Err(bytes) };
        let checked = read::checked(&location, &Path::from("record"), check).await.unwrap();
        let left = store.shown.lock().unwrap().len();
        (checked, left)
    }
}

impl fmt::Display for Changing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("changing store")
    }
}

#[async_trait]
impl ObjectStore for Changing {
    sluicegate_testing::passes_on!(
        inner: put_opts, put_multipart_opts, delete_stream, list, list_with_offset,
        list_with_delimiter, copy_opts
    );

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let shown = self.shown.lock().unwrap().pop().expect("it is not read so often");
        self.inner.put(path, shown.into()).await?;
        self.inner.get_opts(path, options).await
    }
}

#[tokio::test]
async fn what_was_damaged_on_its_way_is_read_again() {
    assert_eq!(Changing::checked(&["whole", "-"]).await, (Ok("whole".into()), 1));
    assert_eq!(Changing::checked(&["whale", "whole", "-"]).await, (Ok("whole".into()), 1));
    let twice = ["whale", "shole", "whole", "-"];
    assert_eq!(Changing::checked(&twice).await, (Ok("whole".into()), 1));
}

#[tokio::test]
async fn what_is_damaged_where_it_lies_is_told_after_two_readings() {
    assert_eq!(Changing::checked(&["whale", "whale", "-"]).await, (Err("whale".into()), 1));
}

#[tokio::test]
async fn what_is_damaged_each_time_is_told_after_a_few_readings() {
    let shown = ["a", "b", "c", "d", "-"];
    assert_eq!(Changing::checked(&shown).await, (Err("d".into()), 1));
}
