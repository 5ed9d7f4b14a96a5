//! Waiting while there is no lane that runs: commands are heard all the same.

use std::time::Duration;

use tokio::runtime::Handle;

use super::Outside;
use crate::status::Command;

/// Waits this long, or until somebody asks to stop; true if so. Whoever asks for an activation meanwhile is told
/// `refusal`.
pub(crate) fn wait(outside: &mut Outside, runtime: &Handle, wait: Duration, refusal: &str) -> bool {
    runtime.block_on(async {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            match tokio::time::timeout_at(deadline, outside.commands.recv()).await {
                Err(_) => return false,
                Ok(None | Some(Command::Stop)) => return true,
                Ok(Some(Command::Activate { reply, .. })) => {
                    // Whoever asked may have gone away; nothing was changed.
                    let _ = reply.send(Err(refusal.to_owned()));
                }
            }
        }
    })
}
