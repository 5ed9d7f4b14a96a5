//! Parts of a file in an object store, as the Parquet library asks for them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::kept::{FileName, Kept};
use sluicegate_store::Location;

/// Gives the library the parts of a file that it asks for.
#[derive(Clone)]
pub(super) struct Ranges {
    location: Location,
    path: Path,
    size: u64,
    /// Where parts are looked for first; only of files that never change.
    kept: Option<(Kept, FileName)>,
}

impl Ranges {
    /// Of the file at `path` in the store, which has `size` bytes.
    pub(super) fn of(location: &Location, path: Path, size: u64) -> Self {
        Self { location: location.clone(), path, size, kept: None }
    }

    /// The same, of a file that never changes.
    pub(super) fn kept_in(self, kept: &Kept) -> Self {
        let table = self.location.url.as_str().into();
        let file = FileName { table, path: self.path.as_ref().into() };
        Self { kept: Some((kept.clone(), file)), ..self }
    }

    /// What the footer says, with the types that every reader has, not those that one writer's library may have noted.
    pub(super) async fn footer(&self) -> Result<ArrowReaderMetadata, ParquetError> {
        if let Some((kept, file)) = &self.kept
            && let Some(footer) = kept.footer(file)
        {
            return Ok(footer);
        }
        // Its bytes are of no use once it is read.
        let bytes = Self { kept: None, ..self.clone() };
        let footer = ParquetMetaDataReader::new().load_and_finish(bytes, self.size).await?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let footer = ArrowReaderMetadata::try_new(Arc::new(footer), options)?;
        if let Some((kept, file)) = &self.kept {
            kept.keep_footer(file, &footer);
        }
        Ok(footer)
    }
}

impl MetadataFetch for Ranges {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move {
            if let Some((kept, file)) = &self.kept
                && let Some(bytes) = kept.range(file, range.clone())
            {
                return Ok(bytes);
            }
            let get = self.location.store.get_range(&self.path, range.clone());
            let bytes = get.await.map_err(|error| ParquetError::External(error.into()))?;
            if let Some((kept, file)) = &self.kept {
                kept.keep_range(file, range, &bytes);
            }
            Ok(bytes)
        }
        .boxed()
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
