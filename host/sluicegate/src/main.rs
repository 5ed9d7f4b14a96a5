//! The `sluicegate` command.

use std::process::ExitCode;

use clap::Parser;
use sluicegate::cli::Cli;

/// librdkafka allocates and frees every message on different threads, which glibc's allocator pays for with a third
/// of its time. This one takes the place of C's `malloc` as well (feature `unprefixed_malloc_on_supported_platforms`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
