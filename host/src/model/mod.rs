//! Words that more than one part of the host speaks and that belong to none of them: what a module is known by, which
//! windows there are, what a call of a plugin may use and what it did not take.

pub mod module;
pub mod call;
pub mod window;
pub mod timers;
pub mod refusal;
pub mod dead_letter;
