//! A store whose puts can be held back and land when their senders are long gone, as a slow network or a stalled disk
//! does it. For tests.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{ObjectStore, PutOptions, PutPayload, PutResult, Result};
use tokio::sync::{Notify, watch};

/// Holds back the next put whose path contains what [`HeldStore::hold`] was given.
#[derive(Debug)]
pub struct HeldStore {
    inner: Arc<dyn ObjectStore>,
    wanted: Mutex<Option<String>>,
    held: watch::Sender<Option<Put>>,
    /// That the held put goes on and is answered.
    goes_on: Notify,
}

#[derive(Clone, Debug)]
struct Put {
    path: Path,
    payload: PutPayload,
    options: PutOptions,
}

impl HeldStore {
    /// In front of that store.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            wanted: Mutex::default(),
            held: watch::Sender::new(None),
            goes_on: Notify::new(),
        }
    }

    /// The next put whose path contains `part` is held back, and not answered unless [`HeldStore::replace`] says so.
    pub fn hold(&self, part: &str) {
        *self.wanted.lock().expect("no test panics here") = Some(part.to_owned());
    }

    /// Ends when that put has come.
    pub async fn is_held(&self) {
        self.held.subscribe().wait_for(Option::is_some).await.expect("the store lives");
    }

    /// Whether the put that [`HeldStore::hold`] waits for is held now; does not wait.
    pub fn has_come(&self) -> bool {
        self.held.borrow().is_some()
    }

    /// The held put arrives. Returns its path and what the store answers to nobody.
    pub async fn land(&self) -> (Path, Result<PutResult>) {
        let Put { path, payload, options } = self.held.send_replace(None).expect("a put is held");
        let answer = self.inner.put_opts(&path, payload, options).await;
        (path, answer)
    }

    /// The sender of a put that has landed hears of it: its own request finds the name taken by its own bytes.
    pub fn go_on(&self) {
        self.goes_on.notify_one();
    }

    /// The held put arrives, and its sender hears of it.
    pub async fn land_and_go_on(&self) -> (Path, Result<PutResult>) {
        let landed = self.land().await;
        self.go_on();
        landed
    }

    /// Something else comes first under the name of the held put, which then goes on. Returns the name.
    pub async fn replace(&self, bytes: &'static str) -> Path {
        let Put { path, .. } = self.held.send_replace(None).expect("a put is held");
        self.inner
            .put_opts(&path, bytes.into(), PutOptions::default())
            .await
            .expect("memory takes all");
        self.goes_on.notify_one();
        path
    }
}

impl fmt::Display for HeldStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("held store")
    }
}

#[async_trait]
impl ObjectStore for HeldStore {
    crate::passes_on!(
        inner: put_multipart_opts, get_opts, delete_stream, list, list_with_offset,
        list_with_delimiter, copy_opts
    );

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let is_wanted = |part: &mut String| path.as_ref().contains(part.as_str());
        let wanted = self.wanted.lock().expect("no test panics here").take_if(is_wanted);
        if wanted.is_some() {
            let (payload, options) = (payload.clone(), options.clone());
            self.held.send_replace(Some(Put { path: path.clone(), payload, options }));
            self.goes_on.notified().await;
        }
        self.inner.put_opts(path, payload, options).await
    }
}
