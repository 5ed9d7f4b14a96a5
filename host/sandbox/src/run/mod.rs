//! Runs the plugin of a stage over batches: cuts them into calls, survives every fault, says which rows are guilty.
//!
//! A batch is [`cut`] into [`calls`]. A call that fails is cut in halves until single rows stand accused
//! ([`isolate`]), and what a failed call touched is as it was before it ([`accumulators`], [`keyed`]). The [`brake`] ends
//! a turn early in which that takes long. What comes of it is an [`outcome`].
//!
//! Nothing here knows WebAssembly: a runner is given a [`crate::plugin::Plugin`], and asks it for instances.

pub mod cut;
pub mod brake;
mod isolate;
pub mod calls;
pub mod outcome;
mod made;
mod coded;
mod places;
mod accumulators;
pub mod runner;
pub mod keyed;
