//! Where a job writes: a local folder or a bucket. The same handle reads it back.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A root for the tables and the chain of one job.
pub struct Place {
    /// The pipeline file lies here; paths in it are relative to it.
    pub folder: TempDir,
    /// What stands before `/revenue` in the pipeline file.
    pub url: String,
    /// Given to the host.
    pub environment: Vec<(&'static str, String)>,
    store: Arc<dyn ObjectStore>,
    runtime: Runtime,
}

impl Place {
    /// A local folder.
    pub fn local() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root: PathBuf = folder.path().join("data");
        std::fs::create_dir(&root).unwrap();
        let store = LocalFileSystem::new_with_prefix(&root).unwrap();
        Self::new(folder, root.display().to_string(), Vec::new(), Arc::new(store))
    }

    /// A bucket of its own on an S3 server.
    pub fn s3(endpoint: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let bucket = format!("bucket-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let answer =
            reqwest::blocking::Client::new().put(format!("{endpoint}/{bucket}")).send().unwrap();
        assert!(answer.status().is_success(), "create bucket: {answer:?}");
        Self::bucket(endpoint, &bucket, "test", "test")
    }

    /// A bucket that is there.
    pub fn bucket(endpoint: &str, bucket: &str, key: &str, secret: &str) -> Self {
        let store = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_allow_http(true)
            .with_bucket_name(bucket)
            .with_region("us-east-1")
            .with_access_key_id(key)
            .with_secret_access_key(secret)
            .build()
            .unwrap();
        let environment = vec![
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", key.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ];
        let folder = tempfile::tempdir().unwrap();
        Self::new(folder, format!("s3://{bucket}"), environment, Arc::new(store))
    }

    fn new(
        folder: TempDir,
        url: String,
        environment: Vec<(&'static str, String)>,
        store: Arc<dyn ObjectStore>,
    ) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { folder, url, environment, store, runtime }
    }

    /// The paths of all objects below `prefix`, ascending.
    pub fn list(&self, prefix: &str) -> Vec<String> {
        let listing = self.store.list(Some(&Path::from(prefix)));
        let objects: Vec<_> = self.runtime.block_on(listing.try_collect()).unwrap();
        let mut paths: Vec<_> =
            objects.into_iter().map(|object| object.location.to_string()).collect();
        paths.sort();
        paths
    }

    /// Puts an object.
    pub fn write(&self, path: &str, bytes: Bytes) {
        let path = Path::parse(path).unwrap();
        let put = async { self.store.put(&path, bytes.into()).await };
        self.runtime.block_on(put).unwrap();
    }

    /// The bytes of an object.
    pub fn read(&self, path: &str) -> Bytes {
        let path = Path::parse(path).unwrap();
        self.runtime.block_on(async { self.store.get(&path).await?.bytes().await }).unwrap()
    }
}
