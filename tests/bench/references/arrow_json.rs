//! arrow-json over the bytes of the files.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::json::ReaderBuilder;

use super::{BATCH_ROWS, Reference};
use crate::child::cpu_nanos;
use crate::events::files;

/// arrow-json over the bytes of the files, which are in memory before the time begins: the columns that the job
/// reads, by the types that the job has, and nothing else.
pub(crate) fn arrow_json(folder: &Path) -> Result<Reference> {
    let read = |path: std::path::PathBuf| {
        std::fs::read(&path).with_context(|| format!("read `{}`", path.display()))
    };
    let texts = files(folder)?.into_iter().map(read).collect::<Result<Vec<_>>>()?;
    let schema = Arc::new(Schema::new(vec![
        Field::new("store", DataType::Utf8, false),
        Field::new("price", DataType::Decimal64(18, 2), false),
        Field::new("ts", DataType::Timestamp(TimeUnit::Second, Some("+00:00".into())), false),
    ]));
    let begin = cpu_nanos();
    let mut records = 0;
    for text in &texts {
        let builder = ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(BATCH_ROWS);
        let mut decoder = builder.build_decoder().context("make arrow-json's decoder")?;
        let mut rest = text.as_slice();
        loop {
            let taken = decoder.decode(rest).context("decode by arrow-json")?;
            rest = &rest[taken..];
            match decoder.flush().context("decode by arrow-json")? {
                Some(batch) => records += batch.num_rows() as u64,
                None if rest.is_empty() => break,
                None => {}
            }
        }
    }
    Ok(Reference { cpu_nanos: cpu_nanos() - begin, records })
}
