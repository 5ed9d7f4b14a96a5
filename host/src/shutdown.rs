//! Signals that ask the process to end.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell reports of a program that Ctrl-C ended: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// The first SIGINT or SIGTERM asks every pipeline for a last commit; the second ends the process at once, which is
/// as safe: the next run begins at the last commit.
pub async fn cancel_on_signal(stopping: CancellationToken) {
    let signals = signal(SignalKind::interrupt()).and_then(|interrupt| {
        signal(SignalKind::terminate()).map(|terminate| (interrupt, terminate))
    });
    let (mut interrupt, mut terminate) = match signals {
        Ok(signals) => signals,
        Err(error) => return tracing::error!(%error, "signals are not heard: stop by kill -9"),
    };
    either(&mut interrupt, &mut terminate).await;
    tracing::info!("stopping after a last commit; once more to stop at once");
    stopping.cancel();
    either(&mut interrupt, &mut terminate).await;
    std::process::exit(INTERRUPTED);
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
