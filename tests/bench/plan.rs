//! Which parts there are, and how much each does.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use xtask::bench::{Options, Part};
use xtask::workspace::Workspace;

use crate::report::Figures;
use crate::{main_job, nexmark, sizes, state, windows};

/// How much is done.
pub(crate) struct Sizes {
    /// Of the main job, and of the kinds of windows.
    pub(crate) sales: usize,
    /// Of NEXMark.
    pub(crate) events: usize,
    /// Of each job and reference.
    pub(crate) rounds: usize,
    pub(crate) swaps: usize,
    pub(crate) live: Duration,
    /// Of a process plugin, in memory.
    pub(crate) keys: usize,
    /// Of a window, in memory.
    pub(crate) groups: &'static [usize],
}

impl Sizes {
    fn new(quick: bool) -> Self {
        if quick {
            Self {
                sales: 2_000_000,
                events: 1_000_000,
                rounds: 3,
                swaps: 30,
                live: Duration::from_secs(5),
                keys: 1_000_000,
                groups: &[1_000_000],
            }
        } else {
            Self {
                sales: 5_000_000,
                events: 3_000_000,
                rounds: 9,
                swaps: 100,
                live: Duration::from_secs(20),
                keys: 1_000_000,
                groups: &[1_000_000, 10_000_000],
            }
        }
    }
}

/// What was asked for, in an emptied `target/bench`.
pub(crate) fn measure(options: &Options) -> Result<Figures> {
    let workspace = Workspace::here();
    let folder = workspace.target().join("bench");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("empty `{}`", folder.display()))?;
    }
    let amounts = Sizes::new(options.quick);
    let mut figures = Figures::default();
    if options.measures(Part::Main) {
        main_job::measure(&amounts, &workspace, &folder, &mut figures)?;
    }
    if options.measures(Part::Sizes) {
        sizes::measure(&amounts, &folder, &mut figures)?;
    }
    if options.measures(Part::Windows) {
        windows::measure(&amounts, &folder, &mut figures)?;
    }
    if options.measures(Part::State) {
        state::measure(&amounts, &mut figures)?;
    }
    if options.measures(Part::Nexmark) {
        nexmark::measure(&amounts, &workspace, &folder, &mut figures)?;
    }
    Ok(figures)
}

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

pub(crate) fn say(text: &str) {
    eprintln!("— {text}");
}
