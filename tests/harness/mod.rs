//! What the tests stand on: real services, the real binary, tables read back, and an oracle that knows the answer.

pub mod services;
pub mod line;
pub mod wire;
pub mod middleman;
pub mod topic;
pub mod place;
pub mod pipeline;
pub mod host;
pub mod amounts;
pub mod chain;
pub mod delta;
pub mod table;
pub mod sales;
pub mod oracle;

use std::time::Duration;

pub use xtask::daemon::wait_until;

/// Longer than anything takes on a busy machine; who waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `ask` has an answer; panics with `what` if it never has.
#[track_caller]
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    match wait_until(PATIENCE, ask) {
        Some(answer) => answer,
        None => panic!("waited {} s in vain for this: {what}", PATIENCE.as_secs()),
    }
}

/// The seed of a test's dice: from `SLUICEGATE_SEED`, or the test's own. Printed, and shown if the test fails.
#[expect(clippy::disallowed_methods, reason = "a failed test is repeated with the seed it printed")]
pub fn seed(own: u64) -> u64 {
    let seed = std::env::var("SLUICEGATE_SEED").map_or(own, |text| text.parse().unwrap());
    println!("SLUICEGATE_SEED={seed}");
    seed
}
