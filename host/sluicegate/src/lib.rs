//! The program: command line, HTTP with the console, tables on the terminal, the page of metrics, and the wiring of it all.
//!
//! [`program`] is what the pipelines share; [`handle`] is what the rest of the program holds of a running
//! pipeline; [`history`] is what is remembered of its last minutes, [`committed`] what people read of its tables; [`api`] is
//! what server and command line say to each other. What a record meets on its way, and which crate may know which, stands
//! in `host/README.md`: begin there.
//!
//! axum is known in [`http`] only. No turn of a lane is taken here.

#![forbid(unsafe_code)]

mod stderr;

pub mod machine;
pub mod program;
pub mod handle;
pub mod history;
pub mod committed;
pub mod metrics;
pub mod terminal;
pub mod api;
pub mod http;
pub mod cli;
pub mod shutdown;
pub mod telemetry;
