//! What a module is: the bytes that somebody uploaded, on their way to something that can run in a stage.
//!
//! ```text
//! bytes ─► validate ─► compile ─► describe ─► LoadedModule ─► fit ─► Plugin
//! ```
//!
//! A module is known by its SHA-256. Every refusal is a [`problem`], a sentence for whoever uploaded it.

pub mod problem;
pub(crate) mod settings;
mod validate;
pub mod compile;
pub mod engine;
mod describe;
pub mod loaded;
pub mod load;
pub mod fit;
