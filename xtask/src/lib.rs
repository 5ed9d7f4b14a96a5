//! The build scripting of Sluicegate, and the real services that the tests and the demo start. The end-to-end
//! tests use the services from here, so that how a broker is started is written once.
//!
//! | module | what |
//! |---|---|
//! | [`workspace`] | where things lie |
//! | [`command`] | running a program to its end |
//! | [`daemon`] | running a program beside us, and being sure that it ends |
//! | [`process`] | what another process uses of the machine |
//! | [`http`] | asking a service on this machine |
//! | [`services`] | Apache Kafka, an S3 server, Prometheus and a browser: fetched once, started on free ports |
//! | [`plugins`] | plugin crates → `target/plugins/*.wasm` |
//! | [`suite`] | `cargo xtask test` |
//! | [`console`] | the console in a real browser: `cargo xtask browser`, `cargo xtask screenshots` |
//! | [`rustdoc`] | its documentation and doc tests from one build |
//! | [`demo`] | `cargo xtask demo` |
//! | [`simulate`] | `cargo xtask simulate`: stories of whole lanes, with other seeds than the tests |
//! | [`record`] | `cargo xtask record`: what the demo prints, for README |
//! | [`compose`] | `cargo xtask compose`, and what of its files can be checked without an engine |
//! | [`mod@bench`] | `cargo xtask bench` |
//! | [`documentation`] | the blocks of Rust that pages show, as tests |

pub mod workspace;
pub mod command;
pub mod daemon;
pub mod process;
pub mod http;
pub mod services;
pub mod plugins;
pub mod soak;
pub mod suite;
pub mod console;
pub mod rustdoc;
pub mod demo;
pub mod simulate;
pub mod record;
pub mod bench;
pub mod compose;
pub mod documentation;
