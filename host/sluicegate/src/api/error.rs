//! What every answer that is no success holds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Any answer that is no success.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong, as a word and as a sentence.
    pub error: Failure,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// For programs; stays the same.
    pub code: String,
    /// One sentence for a person, with what to do about it.
    pub message: String,
}
