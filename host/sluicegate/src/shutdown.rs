//! Signals that ask the program to end, and the end that comes whatever goes on.

use std::io;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use sluicegate_engine::stop::Stop;

/// What a shell reports of a program that Ctrl-C ended: 128 + SIGINT.
const INTERRUPTED: i32 = 130;

/// The exit code of a program that did not end in time by itself.
const OVERDUE: i32 = 3;

/// From the signal to the end of the program, whatever goes on in it. Container runtimes kill after ten seconds, and
/// then nobody says why.
const HARD_LIMIT: Duration = Duration::from_secs(9);

/// Signals so close behind each other are one request: `timeout` and shells send theirs to a program and to its group.
const ONE_REQUEST: Duration = Duration::from_millis(500);

/// How long a last sentence may take: whoever should read it may have gone, and the pipe be full.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The first SIGINT or SIGTERM asks every pipeline for a last commit; the second ends the program at once, which is
/// as safe: the next run begins at the last commit. So does the hard limit.
///
/// Signals are waited for on a thread of their own: nothing that hangs elsewhere keeps them from being heard.
///
/// # Errors
/// The system has no thread or no signal to give.
pub fn stop_on_signal(stop: Stop) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(entered);
    let listen = async move {
        either(&mut interrupt, &mut terminate).await;
        stop.ask();
        let again = async {
            let echoes = async {
                loop {
                    either(&mut interrupt, &mut terminate).await
                }
            };
            let _over: Result<(), _> = tokio::time::timeout(ONE_REQUEST, echoes).await;
            either(&mut interrupt, &mut terminate).await;
        };
        let end = tokio::time::timeout(HARD_LIMIT, again);
        // Beside the waiting, so that a log that nobody reads does not hold it up.
        std::thread::spawn(|| {
            tracing::info!("stopping after a last commit; once more to stop at once")
        });
        match end.await {
            Ok(()) => INTERRUPTED,
            Err(_) => {
                say(format!(
                    "error: the process did not end within {} s of the signal and is ended now; nothing is lost, the \
                     next start goes on from the last commit",
                    HARD_LIMIT.as_secs()
                ));
                OVERDUE
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    thread.spawn(move || std::process::exit(runtime.block_on(listen)))?;
    Ok(())
}

/// Writes to standard error, unless that takes too long.
fn say(sentence: String) {
    let (said, heard) = sync_channel(1);
    std::thread::spawn(move || {
        crate::stderr::say(sentence);
        let _gone = said.send(());
    });
    // Whether it was said or not: it ends.
    let _said = heard.recv_timeout(LAST_WORDS);
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
