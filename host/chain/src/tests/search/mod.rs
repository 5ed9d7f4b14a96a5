//! Explicit-state checks of the chain: every order of steps of two writers that crash and start again, whose answers
//! are lost and whose puts land late. Each check is run with all rules and once without each of them: a rule whose
//! absence is not found out would not be known to be needed, nor the search to be able to see.
//!
//! * [`directory`] is the protocol as it is today: a plain directory of data files, orphans deleted by the opening. It
//!   drives [`crate::resolve`] itself.
//! * [`collected`] is the protocol with slots that are let go. It raises the real floor ([`crate::floor`]).
//! * [`following`] is chains that follow each other in one place. It asks the real [`crate::home`] for names.
//! * [`lead`] is who leads, by claims and signs of life. It drives [`crate::lead`].
//! * [`modules`] is what becomes of uploaded modules. It drives [`crate::modules::surplus`].
//! * [`outbox`] is who sends messages, and when. It drives [`crate::resolve`] as well.
//! * [`published`] is the protocol with a table log and garbage collection
//!   (docs/design/commit.md#the-table-log).

mod directory;
mod collected;
mod following;
mod lead;
mod modules;
mod outbox;
mod published;

use sluicegate_testing::search::{Found, Push, State, search};
