//! What lies outside: where records come from ([`source`]), the tables that a lane writes ([`sink`]) and the topics that its
//! results are sent to ([`outbox`]).
//!
//! This crate knows librdkafka and Parquet. A connector knows what the pipeline file says of it and what the chain keeps of
//! it. It does not know the lane that asks it, plugins or windows.

pub mod source;
pub mod sink;
pub mod outbox;
