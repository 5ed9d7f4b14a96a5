//! What people ask of the open groups of a lane: the desk hears it, and the logic answers it.

/// What somebody wants to see of open groups.
#[derive(Clone, Debug)]
pub struct WindowsAsked {
    /// So many rows at most.
    pub rows: usize,
    /// Those of which a column of the key, as text, has this text in it.
    pub key: Option<String>,
}
