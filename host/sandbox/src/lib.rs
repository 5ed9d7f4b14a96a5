//! Plugins: what they are, their life, and what they may do.
//!
//! A *module* is the artefact somebody uploaded, known by its SHA-256. A *plugin* is a module
//! compiled and checked for a stage. An *instance* is one store with its memory; each worker has
//! its own, and any of them may be thrown away after any call, because plugins are pure and the
//! host owns all state (docs/design/decisions.md#f1).
//!
//! | room | what it is | it imports |
//! |---|---|---|
//! | [`plugin`] | the words: a plugin, its description, its calls and its answers | – |
//! | [`run`] | the plugin of a stage over batches: calls, limits, guilty rows | `plugin` |
//! | [`contract`] | the interface of `guest-sdk/wit`, and which versions of it are spoken | – |
//! | [`instance`] | one guest in its cell: what is linked, what is limited, what comes back | `plugin`, `contract` |
//! | [`module`] | from uploaded bytes to a plugin: validated, compiled, described, fitted | all but `run` |
//!
//! wasmtime is known here and nowhere else. What is absent on purpose: the pipeline file, which hands over a place and
//! limits; windows and keys, whose states come and go as bytes; and for the guest a clock, randomness, files and a network.

pub mod plugin;
pub mod run;
mod contract;
mod instance;
pub mod module;
#[cfg(test)]
mod tests;
