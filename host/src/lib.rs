//! Sluicegate: a stream processor for people who want to change the logic of a running stream without stopping it.
//!
//! It reads Kafka, keeps event time, watermarks, windows and state, and writes Parquet tables to object storage and
//! results to Kafka topics exactly once. The logic (filters, maps, aggregates, process plugins) is a WebAssembly component
//! that is uploaded and exchanged while the stream runs. This page is the architecture; the modules stand below in the order in which a record meets them.
//!
//! # The way of a record
//!
//! ```text
//!  Kafka partition                                                                          Parquet, chain record
//!       │                                                                                            ▲
//!       ▼                                                                                            │
//!  source ──► decode ──► event time ──► filter, map ──► late? window? ──► accumulators ──► fire ──► sink ──► chain
//!  blocks     Arrow      watermark      plugins         place             plugin           results  files    commit
//! ```
//!
//! | step | where | in → out |
//! |---|---|---|
//! | poll | [`source`] | – → [`source::RecordBlock`]: the records of a partition as columns |
//! | decode | [`decode`] | bytes → a `RecordBatch` with the columns that somebody reads |
//! | observe | [`watermark`] | event times → the partition's clock; before the plugins, so that a plugin that drops everything cannot stop time |
//! | filter, map | [`plugin`] | columns → rows that go on, rows that are refused |
//! | place, update | [`lane`], [`window`] | rows → late, or added to the accumulator of their window and key |
//! | fire | [`lane`], [`window`] | the watermark passed the end of a window → result rows |
//! | process | [`lane`], [`keyed`] | instead of the two: rows and due timers of a key, one by one → rows that a process plugin emits |
//! | sink | [`sink`] | rows → Parquet files of this epoch |
//! | commit | [`chain`] | files, state, positions, modules → one create-only object: the epoch exists |
//! | send | [`outbox`] | what the epoch has for Kafka topics → messages that a reader can tell from their repeats |
//!
//! All of it happens in [`lane::Lane::run`], one loop on one thread that forks to its workers inside a step and
//! joins before the next. Start reading there.
//!
//! # Around the lane
//!
//! [`config`] turns a pipeline file into a checked [`config::Pipeline`]; [`process`] wires what it needs;
//! [`supervisor`] keeps its lane alive. [`handle`] is what the rest of the process holds of a running pipeline, and
//! [`http`] shows it to the world. [`modules`] keeps what was uploaded. [`counters`] counts, [`metrics`] shows it. [`cli`] is the command
//! line, [`produce`] the generator of test events.
//!
//! # Invariants
//!
//! * **Plugins are pure; the host owns state.** Any instance may be thrown away after any call.
//! * **The checkpoint is the commit.** A chain record carries positions, watermark, state, data files, fates and the
//!   pinned modules. Nothing else decides anything; Kafka's committed offsets are for dashboards.
//! * **One loop owns everything of a lane.** Others send it a [`lane::Command`] or read its last
//!   [`status::LaneStatus`]. There is no lock, no shared watermark, no registry between the steps.
//! * **The result depends neither on the number of cores nor on the size of a batch.** Rows of a key are added in
//!   the order of (partition, offset) by one worker; lateness is judged row by row ([`lane`]).
//! * **Every record read has one fate**: `read = accepted + filtered + late + dead-lettered`, checked at every
//!   barrier.
//! * **Every queue, batch, file, call and retry has a limit with a name and a reason.**
//!
//! What is absent on purpose: [`window`], [`watermark`] and [`decode`] have no `async`, no clock and no I/O. Nothing
//! outside [`source`], [`outbox`], [`produce`] and the embedded broker knows Kafka's client; nothing outside [`plugin`] knows
//! wasmtime; nothing outside [`sink`] knows Parquet; nothing outside [`http`] knows axum; nothing outside
//! [`config::environment`] reads the environment. A guest has no clock, no randomness, no files and no network.

#![warn(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "they panic when nobody reads any more"
)]

pub mod model;
pub mod config;
pub mod schema;
pub mod time;
pub mod time_text;
pub mod stop;
pub mod pulse;
pub mod varlen;
pub mod printable;
mod stderr;

pub mod source;
pub mod decode;
pub mod watermark;
pub mod plugin;
pub mod keyed;
pub mod window;
pub mod sink;
pub mod store;
pub mod chain;
pub mod outbox;
pub mod lane;

pub mod process;
pub mod supervisor;
pub mod status;
pub mod handle;
pub mod modules;
pub mod counters;
pub mod metrics;
pub mod console;
pub mod http;
pub mod produce;
pub mod cli;
pub mod shutdown;
pub mod telemetry;
