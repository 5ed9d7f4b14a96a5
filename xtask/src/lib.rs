//! The build scripting of Sluicegate, and the real services that the tests and the demo start. The end-to-end
//! tests use the services from here, so that how a broker is started is written once.
//!
//! | module | what |
//! |---|---|
//! | [`workspace`] | where things lie |
//! | [`command`] | running a program to its end |
//! | [`daemon`] | running a program beside us, and being sure that it ends |
//! | [`services`] | Apache Kafka and an S3 server: fetched once, started on free ports |
//! | [`plugins`] | plugin crates → `target/plugins/*.wasm` |
//! | [`suite`] | `cargo xtask test` |
//! | [`demo`] | `cargo xtask demo` |
//! | [`bench`] | `cargo xtask bench` |

pub mod workspace;
pub mod command;
pub mod daemon;
pub mod services;
pub mod plugins;
pub mod suite;
pub mod demo;
pub mod bench;
