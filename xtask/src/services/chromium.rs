//! Debian's Chromium and what drives it: playwright, pytest and axe-core from PyPI. None of them fetches a browser.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::{fetched, python};
use crate::command::{apt_install, first_line};
use crate::workspace::Workspace;

/// With what they need in turn, so that a run next year drives the browser as one of today does.
const REQUIREMENTS: [&str; 12] = [
    "playwright==1.65.2",
    "greenlet==3.5.6",
    "pytest==9.2.0",
    "pytest-xdist==3.8.0",
    "execnet==2.1.2",
    "iniconfig==2.3.1",
    "packaging==26.4",
    "pluggy==1.7.0",
    "pygments==2.21.0",
    "axe-playwright-python==0.1.8",
    "confluent-kafka==2.16.1",
    "pillow==13.0.0",
];

/// Installs the browser, and its drivers into `target/services`, unless they are there.
pub fn fetch(workspace: &Workspace) -> Result<()> {
    require_chromium()?;
    let home = home(workspace);
    fetched(&home, || python::environment(&home, "the drivers of the browser", &REQUIREMENTS))
}

/// The Python that has the drivers. They must have been fetched.
pub fn python(workspace: &Workspace) -> PathBuf {
    home(workspace).join("bin").join("python")
}

fn require_chromium() -> Result<()> {
    let there = || first_line("chromium", &["--version"]).is_some();
    if there() || apt_install(&["chromium"])? && there() {
        return Ok(());
    }
    bail!("Chromium is needed to look at the console: apt-get install chromium")
}

fn home(workspace: &Workspace) -> PathBuf {
    python::home(workspace, &REQUIREMENTS)
}
