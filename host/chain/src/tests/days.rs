//! An opening beside a table that is parted by days, and old.

use std::fmt;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, Result};

use super::*;

/// Each listing takes as long as in a store in the same region.
#[derive(Debug)]
struct FarStore {
    inner: Arc<InMemory>,
}

const LISTING: Duration = Duration::from_millis(25);

impl fmt::Display for FarStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("far store")
    }
}

#[async_trait]
impl ObjectStore for FarStore {
    sluicegate_testing::passes_on!(
        inner: put_opts, put_multipart_opts, get_opts, delete_stream, list, copy_opts
    );

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list_with_offset(prefix, offset);
        let answered = async move {
            tokio::time::sleep(LISTING).await;
            listed
        };
        stream::once(answered).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        tokio::time::sleep(LISTING).await;
        self.inner.list_with_delimiter(prefix).await
    }
}

/// Nobody works meanwhile, and a hand-over is to take two seconds.
#[test]
fn the_days_of_ten_years_are_listed_within_a_hand_over() {
    let (runtime, inner) = (runtime(), Arc::new(InMemory::new()));
    let near = storage(Arc::clone(&inner) as Arc<dyn ObjectStore>);
    assert_eq!(live(&runtime, &near, 2), Ended::Done);
    for day in 0..3_650 {
        let date = paths::date_value(day);
        let path = near.tables["numbers"].path(&format!("date={date}/of-somebody.parquet"));
        runtime.block_on(inner.put(&path, "x".into())).unwrap();
    }
    let far = storage(Arc::new(FarStore { inner }));
    let mut paused = tokio::runtime::Builder::new_current_thread();
    let paused = paused.enable_time().start_paused(true).build().unwrap();
    let opened = async { tokio::time::timeout(Duration::from_secs(2), open(&far, INSTANCE)).await };
    let opened = paused.block_on(opened).expect("it lists a few at a time").unwrap();
    assert_eq!(next_number(&opened), Some(2));
}
