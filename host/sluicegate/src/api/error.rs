//! What every answer that is no success holds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Any answer that is no success.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The one field.
    pub error: Failure,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// For programs; stays the same.
    pub code: String,
    /// For people.
    pub message: String,
}
