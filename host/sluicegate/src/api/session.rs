//! Signing in with a browser.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a token is wanted, and whether this browser has brought one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionStatus {
    /// The server wants a token.
    pub token_needed: bool,
    /// The request brought an accepted token, or belongs to a session. False also where no token is wanted.
    pub signed_in: bool,
}

/// The body of `POST /v1/session`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// One of the server's tokens.
    pub token: String,
}
