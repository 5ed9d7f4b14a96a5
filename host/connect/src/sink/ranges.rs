//! Parts of a file in an object store, as the Parquet library asks for them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use sluicegate_store::Location;

/// Gives the library the parts of a file that it asks for.
#[derive(Clone)]
pub(super) struct Ranges {
    location: Location,
    path: Path,
    size: u64,
}

impl Ranges {
    /// Of the file at `path` in the store, which has `size` bytes.
    pub(super) fn of(location: &Location, path: Path, size: u64) -> Self {
        Self { location: location.clone(), path, size }
    }

    /// What the footer says, with the types that every reader has, not those that one writer's library may have noted.
    pub(super) async fn footer(&self) -> Result<ArrowReaderMetadata, ParquetError> {
        let footer = ParquetMetaDataReader::new().load_and_finish(self.clone(), self.size).await?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        ArrowReaderMetadata::try_new(Arc::new(footer), options)
    }
}

impl MetadataFetch for Ranges {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let get = self.location.store.get_range(&self.path, range);
        get.map_err(|error| ParquetError::External(error.into())).boxed()
    }
}

impl AsyncFileReader for Ranges {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        self.fetch(range)
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async { Ok(Arc::clone(self.footer().await?.metadata())) }.boxed()
    }
}
