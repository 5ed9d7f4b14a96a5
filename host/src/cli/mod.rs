//! The commands of `sluicegate`, one a file.

mod aligned;
pub mod broker;
pub mod client;
pub mod parquet_table;
pub mod plugin;
pub mod plugin_new;
pub mod status;
