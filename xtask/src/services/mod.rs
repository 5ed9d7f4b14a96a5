//! The real services of the tests and of `demo --kafka`: fetched once into `target/services`, started by hand on
//! free ports of the loopback address. A tool that is missing is named with the Debian package that has it.

pub mod kafka;
pub mod ministack;
pub mod prometheus;
pub mod schemathesis;
pub mod delta_readers;
pub mod chromium;
mod certificates;
mod python;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::Workspace;
pub use kafka::Kafka;
pub use ministack::Ministack;
pub use prometheus::Prometheus;

/// Fetches what is not there yet.
pub fn fetch(workspace: &Workspace) -> Result<()> {
    kafka::fetch(workspace)?;
    ministack::fetch(workspace)?;
    prometheus::fetch()?;
    chromium::fetch(workspace)?;
    schemathesis::fetch(workspace)?;
    delta_readers::fetch(workspace)
}

/// Makes `folder` by `fill`. A file in it says that it is whole, so that an interrupted fetch is begun again and
/// never taken for a finished one.
fn fetched(folder: &Path, fill: impl FnOnce() -> Result<()>) -> Result<()> {
    let whole = folder.join("whole");
    if whole.exists() {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("remove `{}`", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("create `{}`", folder.display()))?;
    fill()?;
    fs::write(&whole, "").with_context(|| format!("write `{}`", whole.display()))
}
