//! Whole lanes on one thread with a seed: instances that die at any await, clocks that drift and sleep, a store that fails.
//!
//! What runs is the product: supervisor, leadership, opening, loop, committer, housekeeping. What is simulated is what
//! surrounds it:
//!
//! ```text
//! stage     threads and tasks of all instances, one at a time (instance, stage, thread)
//! clock     tokio's, which stands still until nobody has anything to do; each instance has one that goes wrong (clock)
//! store     object_store's in memory, behind a network (store)
//! source    logs in memory that grow (source)
//! topic     a log in memory, behind the same network (topic)
//! plugin    native code in the place of a module (plugin, diary_plugin)
//! ```
//!
//! A reader looks at the tables all the while ([`reader`]). At the end every record must be there once. In some stories another chain
//! wants the same tables ([`rival`]). The same seed gives the same story, event by event.

#![forbid(unsafe_code)]

mod clock;
mod diary;
mod diary_key;
mod diary_plugin;
mod instance;
mod judge;
mod kind;
mod life;
mod log;
mod machine;
mod mutated;
mod objects;
mod parts;
mod plot;
mod plugin;
mod reader;
mod rival;
mod rows;
mod source;
mod stage;
mod store;
mod story;
mod thread;
mod topic;
mod watched;
mod world;

pub use diary::{Diary, Event};
pub use story::{Mutation, Story};
pub use world::run;

#[cfg(test)]
mod tests;
