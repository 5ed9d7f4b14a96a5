//! What an owner does beside its commits: what becomes of it when it panics, and what an opening makes of it that slept.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, ObjectMeta, Result};

use super::super::collect::Deleted;
use super::super::retire::retire;
use super::super::store::LaneStore;
use super::*;
use sluicegate_testing::panicking::PanickingStore;
use sluicegate_testing::passes_on;

/// Rounds that panic.
const TIMES: usize = 3;

#[test]
fn housekeeping_that_panics_is_counted_and_comes_again() {
    let store = Arc::new(InMemory::new());
    let keep = Keep { look_back: 4, ..Keep::default() };
    let lane = |store| LaneStorage { keep: keep.clone(), ..storage(store) };
    let straight = lane(Arc::clone(&store) as Arc<dyn ObjectStore>);
    let quick = runtime();
    assert_eq!(live(&quick, &straight, 20), Ended::Done);
    let opened = quick.block_on(open(&straight, INSTANCE)).unwrap();
    assert!(quick.block_on(footprint(&straight)).unwrap().states > 5);

    let panicking = Arc::new(PanickingStore::new(store, "lanes/0/state", TIMES));
    let troubled = lane(Arc::clone(&panicking) as Arc<dyn ObjectStore>);
    keep_house(housekeeping(&troubled, &opened), async {
        for _ in 0..1_000 {
            if panicking.left() == 0 && footprint(&straight).await.unwrap().states <= 5 {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    assert!(quick.block_on(footprint(&straight)).unwrap().states <= 5);
    assert_eq!(keep.panics.count(), TIMES as u64);
}

/// A store from which whoever asks for a state reads what it has much later.
#[derive(Debug)]
struct MovesOn {
    inner: InMemory,
    later: Arc<InMemory>,
    has_moved: AtomicBool,
}

impl MovesOn {
    fn now(&self) -> &InMemory {
        if self.has_moved.load(Ordering::Relaxed) { &self.later } else { &self.inner }
    }
}

impl fmt::Display for MovesOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("store that moves on")
    }
}

#[async_trait]
impl ObjectStore for MovesOn {
    passes_on!(
        inner: put_opts, put_multipart_opts, delete_stream, list_with_delimiter, copy_opts
    );

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        if path.as_ref().contains("/state/") {
            self.has_moved.store(true, Ordering::Relaxed);
        }
        self.now().get_opts(path, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.now().list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.now().list_with_offset(prefix, offset)
    }
}

/// Its machine was suspended. It would halt, and only a person could have it go on.
#[test]
fn an_opening_that_slept_until_the_state_was_gone_that_it_was_to_read_begins_again() {
    let (runtime, later) = (runtime(), Arc::new(InMemory::new()));
    let keep = Keep { look_back: 4, ..Keep::default() };
    let lane = |store| LaneStorage { keep: keep.clone(), ..storage(store) };
    let straight = lane(Arc::clone(&later) as Arc<dyn ObjectStore>);
    assert_eq!(live(&runtime, &straight, 2), Ended::Done);
    let inner = later.fork();
    assert_eq!(live(&runtime, &straight, 20), Ended::Done);
    let opened = runtime.block_on(open(&straight, INSTANCE)).unwrap();
    let store = LaneStore::new(&straight.chain, "toy", "0");
    runtime.block_on(retire(&store, &opened.chain.recent, &Deleted::default())).unwrap();

    let sleeper = lane(Arc::new(MovesOn { inner, later, has_moved: AtomicBool::default() }));
    let surveyed = runtime.block_on(Opener::new(&sleeper, INSTANCE).survey()).unwrap();
    assert_eq!(surveyed.head().unwrap().epoch, opened.head.unwrap().epoch);
}
