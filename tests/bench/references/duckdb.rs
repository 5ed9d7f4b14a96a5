//! The same query by DuckDB, a batch engine that a user could pick instead.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use xtask::services::delta_readers;
use xtask::workspace::Workspace;

use super::Reference;

/// Runs the query over the files in a folder and writes its results to a file; none without DuckDB, which `cargo xtask test`
/// fetches. `records` are the valid sales.
pub(crate) fn duckdb(
    workspace: &Workspace,
    folder: &Path,
    results: &Path,
) -> Result<Option<Reference>> {
    let python = delta_readers::interpreter(workspace);
    if !python.exists() {
        return Ok(None);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/references/query_duckdb.py");
    let output = Command::new(&python)
        .args([Path::new(script), folder, results])
        .output()
        .with_context(|| format!("start `{}`", python.display()))?;
    if !output.status.success() {
        bail!("DuckDB: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(Some(serde_json::from_slice(&output.stdout).context("read what DuckDB used")?))
}
