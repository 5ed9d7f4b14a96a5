//! `cargo xtask record`: runs the demo and puts what it prints into README, so that readers see what they will get.

mod excerpt;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use excerpt::excerpt;

/// Long enough for two windows with each of the two filters.
const RUN_FOR: &str = "35s";

const BEGIN: &str = "<!-- recorded by `cargo xtask record`: begin -->\n";
const END: &str = "<!-- recorded by `cargo xtask record`: end -->\n";

/// Runs the demo, or reads what one has printed, and replaces the recording in README.
pub fn run(workspace: &Workspace, log: Option<&str>) -> Result<()> {
    let log = match log {
        Some(log) => fs::read_to_string(log).with_context(|| format!("read `{log}`"))?,
        None => demo(&workspace.target().join("demo.log"))?,
    };
    let Some(excerpt) = excerpt(&log) else {
        bail!("the demo did not come to its end, or prints something else by now");
    };
    let page = workspace.root().join("README.md");
    let text = fs::read_to_string(&page).context("read README.md")?;
    let Some(text) = replaced(&text, &excerpt) else { bail!("README.md has lost `{BEGIN}`") };
    fs::write(&page, text).context("write README.md")
}

/// What the demo prints, in the order in which it does.
fn demo(log: &Path) -> Result<String> {
    let both = File::create(log).with_context(|| format!("create `{}`", log.display()))?;
    let mut demo = Command::new(std::env::current_exe().context("find this program")?);
    demo.args(["demo", "--for", RUN_FOR]).stdin(Stdio::null());
    demo.stdout(both.try_clone().context("share the log")?).stderr(both);
    eprintln!("the demo runs for {RUN_FOR} and writes to `{}`", log.display());
    let status = demo.status().context("start the demo")?;
    if !status.success() {
        bail!("the demo ended with {status}: see `{}`", log.display());
    }
    fs::read_to_string(log).context("read what the demo printed")
}

/// The page with another recording; none if it has no place for one.
fn replaced(page: &str, excerpt: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}```text\n{excerpt}```\n{END}{after}"))
}

#[cfg(test)]
mod tests;
