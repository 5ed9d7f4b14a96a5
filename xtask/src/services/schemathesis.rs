//! Schemathesis from PyPI: makes requests from an OpenAPI document and compares the answers with it.

use std::path::PathBuf;

use anyhow::Result;

use super::{fetched, python};
use crate::workspace::Workspace;

/// With what it needs in turn, so that a run next year asks as one of today does.
const REQUIREMENTS: [&str; 27] = [
    "schemathesis==4.32.5",
    "anyio==4.16.0",
    "certifi==2026.10.19.post1",
    "charset-normalizer==3.5.3",
    "click==8.5.1",
    "graphql-core==3.3.2",
    "harfile==0.6.0",
    "hypothesis==6.170.17",
    "hypothesis-graphql==0.13.5",
    "idna==3.20",
    "iniconfig==2.3.1",
    "jsonschema_rs==0.60.3",
    "markdown-it-py==4.3.0",
    "MarkupSafe==3.0.4",
    "mdurl==0.1.2",
    "packaging==26.4",
    "pluggy==1.7.0",
    "Pygments==2.21.0",
    "pyrate-limiter==4.5.1",
    "pytest==9.2.0",
    "PyYAML==6.0.4",
    "requests==2.34.2",
    "rich==15.0.0",
    "sortedcontainers==2.4.0",
    "typing_extensions==4.16.0",
    "urllib3==2.8.0",
    "Werkzeug==3.1.9",
];

/// Installs it into `target/services`, unless it is there.
pub fn fetch(workspace: &Workspace) -> Result<()> {
    let home = home(workspace);
    fetched(&home, || python::environment(&home, "Schemathesis", &REQUIREMENTS))
}

/// The command. It must have been fetched.
pub fn command(workspace: &Workspace) -> PathBuf {
    home(workspace).join("bin").join("schemathesis")
}

fn home(workspace: &Workspace) -> PathBuf {
    python::home(workspace, &REQUIREMENTS)
}
