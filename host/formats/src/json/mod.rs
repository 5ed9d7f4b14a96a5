//! JSON: objects to columns, and rows to objects.

pub mod decode;
pub mod encode;
