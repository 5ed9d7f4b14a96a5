//! Words that all crates of the host speak and that belong to none of them: times and the watermark's value, positions,
//! columns, what a module is known by, which windows there are, what a call may use and what a plugin did not take.
//!
//! Everything here is a value. The one door to the outside is [`time::Clock`], which others are handed so that nobody
//! asks the machine for the time. What only one crate needs does not belong here, however small it is.

#![forbid(unsafe_code)]

pub mod time;
pub mod time_text;
pub mod varlen;
pub mod codes;
pub mod schema;
pub mod partition;
pub mod printable;
pub mod position;
pub mod identity;
pub mod module;
pub mod call;
pub mod window;
pub mod timers;
pub mod refusal;
pub mod dead_letter;
