//! How much a line of the log matters.

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the author.
    Debug,
    /// A change worth knowing.
    Info,
    /// Unexpected, but the plugin goes on.
    Warn,
    /// Someone must look.
    Error,
}
