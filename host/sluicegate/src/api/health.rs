//! Whether a host is ready.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer of `/health/ready`, also when it is not.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// Whether every pipeline is ready.
    pub ready: bool,
    /// One sentence for each pipeline that is not.
    pub reasons: Vec<String>,
}
