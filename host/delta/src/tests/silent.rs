//! A store that takes a request and never answers.

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, PutOptions, PutPayload, PutResult, Result};
use tokio::time::Instant;

use super::*;
use crate::decide::Commit;
use sluicegate_store::Location;

/// Puts of some objects are not answered, and no deletion.
#[derive(Debug)]
struct SilentStore {
    inner: InMemory,
    silent: &'static str,
}

impl fmt::Display for SilentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("silent store")
    }
}

#[async_trait]
impl ObjectStore for SilentStore {
    sluicegate_testing::passes_on!(
        inner: put_multipart_opts, get_opts, list, list_with_offset, list_with_delimiter, copy_opts
    );

    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if path.as_ref().ends_with(self.silent) {
            std::future::pending::<()>().await;
        }
        self.inner.put_opts(path, payload, options).await
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        stream::pending().boxed()
    }
}

fn table(silent: &'static str) -> Location {
    let store = Arc::new(SilentStore { inner: InMemory::new(), silent });
    Location { store, ..Location::in_memory() }
}

async fn begin(log: &Log) {
    let text = br#"{"txn":{"appId":"somebody","version":1}}"#.to_vec();
    assert!(log.put(&Commit { version: 0, lines: Vec::new(), text }).await.unwrap());
}

/// What it ends with, and that it ends.
async fn ends<T: fmt::Debug>(work: impl Future<Output = std::result::Result<T, LogError>>) {
    let began = Instant::now();
    let hour = std::time::Duration::from_secs(3_600);
    let ended = tokio::time::timeout(hour, work).await.expect("it ends by itself");
    let error = ended.unwrap_err();
    assert!(error.may_pass() && error.to_string().contains("no answer within"), "{error}");
    assert!(began.elapsed().as_secs() >= 30, "it was given time");
}

#[tokio::test(start_paused = true)]
async fn what_a_log_asks_of_a_silent_store_ends() {
    for silent in [".checkpoint.parquet", "_last_checkpoint"] {
        let log = Log { table: table(silent) };
        begin(&log).await;
        ends(cleanup::write(&log, 0)).await;
    }
    let log = Log { table: table("1.json") };
    begin(&log).await;
    ends(log.put(&Commit { version: 1, lines: Vec::new(), text: b"{}".to_vec() })).await;
    ends(forget(&log.table, |_| true)).await;
}
