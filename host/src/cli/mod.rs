//! shim
pub mod client;
pub mod plugin;
pub mod status;
mod table;
