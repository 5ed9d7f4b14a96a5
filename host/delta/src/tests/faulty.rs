//! A store that fails as it is told: before a put takes effect, after it, or so that the put lands later.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetResult, ObjectStore, ObjectStoreExt, PutOptions, PutPayload, PutResult,
    Result,
};

/// What becomes of the next put of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not take effect.
    Before,
    /// It does, and the answer is lost. So is the look afterwards.
    After,
    /// It does when [`FaultyStore::land`] is called.
    Late,
    /// It does, the answer is lost, and who looks afterwards is shown other bytes.
    Misread,
}

/// How often whoever wants to know what became of a put looks at it.
const LOOKS: usize = 2;

/// Clones are the same store.
#[derive(Clone)]
pub(super) struct FaultyStore {
    inner: Arc<InMemory>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    late: Arc<Mutex<Vec<(Path, PutPayload, PutOptions)>>>,
    /// Objects instead of which others are shown, once for each time that they stand here.
    misread: Arc<Mutex<Vec<Path>>>,
}

impl FaultyStore {
    pub(super) fn new() -> Self {
        Self {
            inner: Arc::default(),
            faults: Arc::default(),
            late: Arc::default(),
            misread: Arc::default(),
        }
    }

    pub(super) fn fail(&self, fault: Fault) {
        self.faults.lock().unwrap().push_back(fault);
    }

    /// The same objects, for a writer whom nothing befalls.
    pub(super) fn untroubled(&self) -> Arc<InMemory> {
        Arc::clone(&self.inner)
    }

    pub(super) fn mend(&self) {
        self.faults.lock().unwrap().clear();
    }

    /// What was held back comes at last. Nobody hears of it.
    pub(super) async fn land(&self) {
        let late: Vec<_> = self.late.lock().unwrap().drain(..).collect();
        for (path, payload, options) in late {
            let _ = self.inner.put_opts(&path, payload, options).await;
        }
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty store")
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty store")
    }
}

fn lost() -> Error {
    Error::Generic { store: "faulty", source: "no answer".into() }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    sluicegate_testing::passes_on!(
        inner: put_multipart_opts, delete_stream, list, list_with_offset, list_with_delimiter,
        copy_opts
    );

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let misread = {
            let mut misread = self.misread.lock().unwrap();
            misread.iter().position(|other| other == path).map(|at| misread.remove(at))
        };
        if misread.is_none() {
            return self.inner.get_opts(path, options).await;
        }
        let other = InMemory::new();
        other.put(path, "{}".into()).await?;
        other.get_opts(path, options).await
    }

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let is_commit = path.as_ref().contains("_delta_log/") && path.as_ref().ends_with(".json");
        let fault = if is_commit { self.faults.lock().unwrap().pop_front() } else { None };
        match fault {
            None => self.inner.put_opts(path, payload, options).await,
            Some(Fault::Before) => Err(lost()),
            Some(Fault::After) => {
                let _ = self.inner.put_opts(path, payload, options).await;
                Err(lost())
            }
            Some(Fault::Misread) => {
                let put = self.inner.put_opts(path, payload, options).await;
                if put.is_ok() {
                    self.misread.lock().unwrap().extend(vec![path.clone(); LOOKS]);
                }
                Err(lost())
            }
            Some(Fault::Late) => {
                self.late.lock().unwrap().push((path.clone(), payload, options));
                Err(lost())
            }
        }
    }
}
