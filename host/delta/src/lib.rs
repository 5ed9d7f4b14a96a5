//! The table log: what readers of a Delta table see. It is derived from the chain (docs/design/decisions.md#d24): the record
//! is written first, and what it lists is added to the log after it, by a roll-forward that can be repeated.
//!
//! ```text
//! chain:      … ─► record 7 ─► record 8 ─► record 9            committed
//! table log:  … ─► 41.json {add …, txn 7}  ─► 42.json {add …, txn 9}     visible
//! ```
//!
//! A commit of the log is one object that is created once. It carries the files of one epoch or of several that follow
//! each other, and a `txn` action that says how far it goes. Whoever opens the table reads that number and adds what the
//! chain has beyond it, so a crash between record and log, a repeated request and a second writer all end the same way:
//! each epoch is in the log once.
//!
//! # Invariants
//!
//! * **T1** Only epochs that a record decided are in the log, in their order, and a commit carries whole epochs.
//! * **T2** Whether an epoch is in the log is asked of the very version that the commit follows: whoever finds that
//!   another commit took its place reads that, and decides again ([`decide`]).
//! * **T3** A table says whose it is, and nobody else writes to it by mistake.
//! * **T4** A table with a feature that this writer does not know is left alone: it would be damaged.
//! * **T5** The JSON of the version of a checkpoint is kept as long as that checkpoint ([`cleanup`]): Spark reads no table
//!   without it.
//! * **T6** A compaction takes out only files that the log names, and brings their rows in the same commit ([`compact`]).
//! * **T7** A table names the chain that writes to it, and no other chain adds to it ([`claim`]).
//! * **T8** Nor does a copy of that chain, while the original is there ([`copied`]).
//!
//! # What it knows
//!
//! The protocol of Delta tables, version 1 for readers and 2 for writers, and chain records. Nothing of rows, plugins or
//! the pipeline file.

#![forbid(unsafe_code)]

pub mod actions;
pub mod schema;
pub mod bounds;
mod statistics;
pub mod state;
pub mod problem;
pub mod claim;
pub mod copied;
pub mod decide;
mod log;
mod checkpoint;
mod cleanup;
pub mod contents;
pub mod compare;
pub mod publish;
mod paths;
pub mod compact;
pub mod vacuum;

#[cfg(test)]
mod tests;

pub use cleanup::forget;
pub use problem::{LogError, Refusal};
pub use publish::{Published, TableLog};
