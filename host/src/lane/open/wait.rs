//! Waiting while there is no lane that runs: commands are heard all the same.

use std::time::Duration;

use tokio::runtime::Handle;

use crate::lane::Outside;
use crate::lane::command::{Awaited, Command, Refusal};

/// Waits this long, or until somebody asks to stop; true if so. Whoever asks for an activation meanwhile is told what
/// the pipeline waits for.
pub(crate) fn wait(
    outside: &mut Outside,
    runtime: &Handle,
    wait: Duration,
    awaited: Awaited,
) -> bool {
    runtime.block_on(async {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            match tokio::time::timeout_at(deadline, outside.commands.recv()).await {
                Err(_) => return false,
                Ok(None | Some(Command::Stop)) => return true,
                Ok(Some(command)) => command.refuse(Refusal::NotOpen(awaited)),
            }
        }
    })
}
