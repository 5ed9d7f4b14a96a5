//! The JSON that requests and answers are made of, a file for each subject. Server and command line share it.

pub mod commits;
pub mod dead_letters;
pub mod error;
pub mod health;
pub mod history;
pub mod live;
pub mod late_rows;
pub mod limits;
pub mod modules;
pub mod pipelines;
pub mod releases;
pub mod windows;
pub(crate) mod words;
pub mod session;
pub mod shape;
