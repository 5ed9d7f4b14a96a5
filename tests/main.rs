//! End-to-end tests: the `sluicegate` binary against a real Apache Kafka and a real S3-protocol server.
//!
//! `cargo xtask test` builds what they need and runs them. By hand: `cargo xtask plugins`, `cargo build --workspace`, then
//! `cargo test --workspace --test e2e`; the services are fetched when they are missing. Seeds are printed; `SLUICEGATE_SEED`
//! repeats one, `SLUICEGATE_KILLS` sets how often the job is killed.

#![expect(
    clippy::unwrap_used,
    reason = "a test that fails shows the line; an error handed on hides it"
)]
#![expect(
    unreachable_pub,
    reason = "nothing is public in a test binary; `pub` says what a module offers"
)]

mod harness;

mod tidy;
mod pages;
mod kafka_to_parquet;
mod metadata_columns;
mod files_equals_kafka;
mod returning_files;
mod direct_fetch;
mod secured_fetch;
mod three_brokers;
mod garbled_wire;
mod windows;
mod large_windows;
mod long_decimals;
mod console;
mod exactly_once;
mod killed_at;
mod delta;
mod delta_partitions;
mod rivals;
mod results_topic;
mod keyed;
mod keyed_swap;
mod plugin_swap;
mod new_plugin;
mod bad_input;
mod columns;
mod strangers;
mod resets;
mod sleeping_reset;
mod copied;
mod namesakes;
mod paths;
mod closed_pipes;
mod dead_letters;
mod idle_partition;
mod at_rest;
mod lost_position;
mod large_record;
mod event_time;
mod misbehaving;
mod poison;
mod run_ahead;
mod accounting;
mod careless_stores;
mod store_outage;
mod store_faults;
mod slow_store;
mod starved;
mod old_slots;
mod soak;
mod thin_line;
mod waiting;
mod stopping;
mod rolling_update;
mod leadership;
mod broker_outage;
mod fenced_broker;
mod broker_wire;
mod http;
mod questions;
mod last_minutes;
mod nexmark;
mod dashboards;
