//! The `sluicegate` command.

use std::process::ExitCode;

use clap::Parser;
use sluicegate::cli::{self, Cli};
use sluicegate::telemetry;

/// librdkafka allocates and frees every message on different threads, which glibc's allocator pays for with a third
/// of its time. This one takes the place of C's `malloc` as well (feature `unprefixed_malloc_on_supported_platforms`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let Cli { log, command } = Cli::parse();
    cli::report(telemetry::start(&log).map_err(Into::into).and_then(|()| cli::dispatch(&command)))
}
