//! Waiting while there is no lane that runs: a stop and commands are heard all the same.

use std::time::Duration;

use super::OpenError;
use crate::lane::Outside;
use crate::lane::refusal::{Awaited, Refusal};
use crate::pulse::PULSE_EVERY;
use sluicegate_runtime::Runtime;

/// Waits this long, or until somebody asks to stop; true if so. Whoever asks for an activation meanwhile is told what
/// the pipeline waits for.
pub(crate) fn wait(outside: &Outside, runtime: &Runtime, wait: Duration, awaited: Awaited) -> bool {
    let waited = async { tokio::time::sleep(wait).await };
    heard(outside, runtime, waited, awaited).is_none()
}

/// Makes a request that an opening needs.
///
/// # Errors
///
/// [`OpenError::Stopped`] if somebody asks to stop before it is answered; it is given up then.
pub(super) fn request<T>(
    outside: &Outside,
    runtime: &Runtime,
    request: impl Future<Output = T>,
) -> Result<T, OpenError> {
    heard(outside, runtime, request, Awaited::Opening).ok_or(OpenError::Stopped)
}

/// Waits for some work, and is heard and hears all the while. None: somebody asks to stop; the work is given up.
pub(super) fn heard<T>(
    outside: &Outside,
    runtime: &Runtime,
    work: impl Future<Output = T>,
    awaited: Awaited,
) -> Option<T> {
    let Outside { commands, looks, stop, pulse, .. } = outside;
    runtime.block_on(async {
        let mut work = std::pin::pin!(work);
        loop {
            pulse.beat();
            tokio::select! {
                biased;
                () = stop.asked() => return None,
                command = commands.take() => command.refuse(Refusal::NotOpen(awaited)),
                look = looks.take() => look.answer(Err(Refusal::NotOpen(awaited))),
                done = &mut work => return Some(done),
                () = tokio::time::sleep(PULSE_EVERY) => {}
            }
        }
    })
}
