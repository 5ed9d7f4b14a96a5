//! What records look like outside: bytes to columns, and rows to bytes. JSON so far; another format is another module.
//!
//! Pure: no async, no clock, no I/O. It does not know where bytes come from, what an event time is for or what becomes of a
//! record that cannot be read; it says why.

pub mod json;
