//! Why a plugin refuses a row.

use std::borrow::Cow;
use std::fmt;

use crate::varlen::offset;

/// Why a row is refused: the reason that stands beside its record in the dead letters. Made of a text, `?` on a
/// `Result<_, &'static str>` or `Result<_, String>` does it.
///
/// A fixed text costs nothing until a row is refused, not even the code that copies it into every function: the row code
/// stays small enough to be inlined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(Cow<'static, str>);

impl From<&'static str> for Refused {
    #[inline(always)]
    fn from(reason: &'static str) -> Self {
        Self(Cow::Borrowed(reason))
    }
}

impl From<String> for Refused {
    #[inline]
    fn from(reason: String) -> Self {
        Self(Cow::Owned(reason))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row that a plugin refused, as it is reported to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Row of the batch of the call.
    pub row: u32,
    /// For a person; the host keeps at most 1,024 bytes.
    pub reason: String,
}

impl Reject {
    #[cold]
    pub(crate) fn push(rejects: &mut Vec<Self>, row: usize, Refused(reason): Refused) {
        rejects.push(Self { row: offset(row), reason: reason.into_owned() });
    }
}
