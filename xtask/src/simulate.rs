//! `cargo xtask simulate`: builds the player of stories with the features that the tests have, and plays.

use std::process::Command;

use anyhow::Result;

use crate::command::{BUILD_BINARIES, cargo, run};
use crate::workspace::Workspace;

/// Plays stories with other seeds than the tests. `options` are those of the player: `--seeds N`, `--from S`.
pub fn play(workspace: &Workspace, options: &[String]) -> Result<()> {
    run(cargo().args(BUILD_BINARIES).current_dir(workspace.root()))?;
    let player = workspace.target().join("debug").join("simulate");
    run(Command::new(player).args(options))
}
