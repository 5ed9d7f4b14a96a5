//! Readers of Delta tables from PyPI, for tests that ask whether others read what we write.

use std::path::PathBuf;

use anyhow::Result;

use super::{fetched, python};
use crate::workspace::Workspace;

/// With what they need in turn, so that a run next year reads as one of today does.
const REQUIREMENTS: [&str; 12] = [
    "deltalake==1.6.6",
    "arro3-core==0.9.1",
    "Deprecated==1.3.1",
    "duckdb==1.5.5",
    "duckdb-extension-delta==1.5.5",
    "polars==2.1.0",
    "polars-runtime-32==2.1.0",
    "pyarrow==26.0.1",
    "pytz==2026.6",
    "typing_extensions==4.16.0",
    "tzdata==2026.6",
    "wrapt==2.5.2",
];

/// Installs them into `target/services`, unless they are there.
pub fn fetch(workspace: &Workspace) -> Result<()> {
    let home = home(workspace);
    fetched(&home, || python::environment(&home, "readers of Delta tables", &REQUIREMENTS))
}

/// The interpreter that has them. They must have been fetched.
pub fn interpreter(workspace: &Workspace) -> PathBuf {
    home(workspace).join("bin").join("python")
}

fn home(workspace: &Workspace) -> PathBuf {
    let [tool, ..] = REQUIREMENTS;
    workspace.services().join(tool.replace("==", "-"))
}
