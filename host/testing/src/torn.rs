//! A store in memory whose answers break off in the middle, as connections do. For tests.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt, Result,
};

/// What is to become of an answer.
#[derive(Clone, Debug)]
struct Tear {
    /// It breaks off behind so many bytes.
    after: u64,
    /// What lies under that name from then on.
    then: Option<Bytes>,
}

/// Clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct TornStore {
    inner: Arc<InMemory>,
    tear: Arc<Mutex<Option<Tear>>>,
}

impl TornStore {
    /// The next answer of more than `after` bytes breaks off behind them. Then the object is replaced by `then`, if there
    /// is any.
    pub fn tear(&self, after: u64, then: Option<Bytes>) {
        *self.tear.lock().expect("no test panics here") = Some(Tear { after, then });
    }
}

impl fmt::Display for TornStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("torn store")
    }
}

#[async_trait]
impl ObjectStore for TornStore {
    crate::passes_on!(
        inner: put_opts, put_multipart_opts, delete_stream, list, list_with_offset,
        list_with_delimiter, copy_opts
    );

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let mut whole = self.inner.get_opts(path, options).await?;
        let length = whole.range.end - whole.range.start;
        let tear = {
            let mut tear = self.tear.lock().expect("no test panics here");
            tear.take_if(|tear| tear.after < length)
        };
        let Some(Tear { after, then }) = tear else { return Ok(whole) };
        let (range, meta) = (whole.range.clone(), whole.meta.clone());
        let attributes = std::mem::take(&mut whole.attributes);
        let bytes = whole.bytes().await?;
        if let Some(then) = then {
            self.inner.put(path, then.into()).await?;
        }
        let after = usize::try_from(after).expect("it is shorter than what lies in memory");
        let broken = Error::Generic { store: "torn", source: "connection reset".into() };
        let payload = stream::iter([Ok(bytes.slice(..after)), Err(broken)]).boxed();
        let payload = GetResultPayload::Stream(payload);
        Ok(GetResult { payload, meta, range, attributes })
    }
}
