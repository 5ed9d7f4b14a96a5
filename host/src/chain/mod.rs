//! The commit chain: what is durable (RELIABILITY.md §1).

pub mod record;
