//! What is kept of browsers that have signed in, and the cookie by which they are known again.

pub(super) mod attempts;
pub(super) mod cookie;
pub(super) mod kept;
