//! Windows: which window an event belongs to, the open groups (window × key) and their accumulators.
//!
//! The accumulators are bytes that only the aggregate plugin understands; the host keeps, stores
//! and restores them (docs/design/decisions.md#f1). Nothing here is async, has a clock or does I/O.

pub mod assigner;
pub mod slides;
pub mod hash;
pub mod key;
mod packed;
mod row_keys;
pub mod groups;
mod group_firing;
mod looks;
mod locals;
mod row;
pub mod state;
mod cuts;
pub mod due;
mod window_due;
pub mod merged;
pub mod sliding;
mod suffix;
pub mod session;
pub mod sessions;
mod session_due;
pub mod session_call;
mod session_states;
mod closed;
pub mod firing;
pub(crate) mod state_reader;
pub mod snapshot;
mod stored;
mod unsaved;
pub mod resolve;

pub use assigner::WindowAssigner;
pub use due::{GroupPlace, NextRun, RunSize};
pub use firing::OpenGroup;
pub use groups::Watcher;
pub use hash::{KEY_SHARDS, TableHash, key_shard};
pub use key::RowSelection;
pub use row::{Place, StateRow};
pub use row_keys::{ColumnCodes, RowKeys};
pub use session::{LateForSession, SessionRow, SessionRule};
pub use session_call::SessionCall;
pub use sessions::Sessions;
pub use slides::{Placement, Slides};
pub use sliding::{SlideTables, SomeKeys};
pub use state::{KeyedState, Touched};

#[cfg(test)]
mod tests;
