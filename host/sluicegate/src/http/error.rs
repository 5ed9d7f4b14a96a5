//! How a request fails: status, a code that stays the same, and a sentence with the thing, the value and the fix.

use std::fmt;

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::error::{ErrorBody, Failure};
use crate::handle::ActivateError;
use sluicegate_chain::modules::ModuleStoreError;

/// A failed request. Internals are logged when it is made, and not shown.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// When asking again is worth it, if it is.
    retry_seconds: u64,
    /// Where to ask instead, if that is known.
    location: Option<String>,
}

/// Why a host does not do what its leader does.
#[derive(Debug)]
pub(super) struct NotLeader {
    /// Who leads.
    pub(super) message: String,
    /// The same request at the leader; none if it does not say where it can be reached.
    pub(super) location: Option<String>,
}

/// After which a busy server is worth asking again.
const RETRY_SECONDS: u64 = 2;

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_seconds: RETRY_SECONDS, location: None }
    }

    /// The same, for which the client should wait so long.
    pub(super) fn retry_in(self, retry_seconds: u64) -> Self {
        Self { retry_seconds, ..self }
    }

    pub(super) fn wrong_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "token", "the token is not one of this server's")
    }

    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// Another host does what was asked for.
    pub(super) fn not_leader(NotLeader { message, location }: NotLeader) -> Self {
        let status = match location {
            Some(_) => StatusCode::TEMPORARY_REDIRECT,
            None => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { location, ..Self::new(status, "not_leader", message) }
    }

    pub(super) fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message)
    }

    /// Something failed that the client can do nothing about.
    pub(super) fn internal(what: &str, error: impl fmt::Display) -> Self {
        tracing::error!(error = %format_args!("{error:#}"), "{what}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something failed inside; the log has it under the `x-request-id` of this answer",
        )
    }

    fn store_failed(error: ModuleStoreError) -> Self {
        let error = anyhow::Error::from(error);
        tracing::warn!(error = %format_args!("{error:#}"), "module store failed");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_failed",
            "the module store does not answer as it should; nothing was activated, the log says why",
        )
    }

    /// The request took longer than it may.
    pub(super) fn deadline(seconds: u64) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "deadline",
            format!("the request took longer than {seconds} s and was given up"),
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, code, message, retry_seconds, location } = self;
        let failure = Failure { code: code.to_owned(), message };
        let mut response = (status, Json(ErrorBody { error: failure })).into_response();
        let later = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        if later.contains(&status) {
            response.headers_mut().insert(header::RETRY_AFTER, retry_seconds.into());
        }
        let location = location.and_then(|location| HeaderValue::try_from(location).ok());
        if let Some(location) = location {
            response.headers_mut().insert(header::LOCATION, location);
        }
        if status == StatusCode::UNAUTHORIZED {
            // Of the two ways to be let in this is the one that has a name.
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

impl From<ModuleStoreError> for ApiError {
    fn from(error: ModuleStoreError) -> Self {
        let (status, code) = match error {
            ModuleStoreError::Name { .. } => (StatusCode::BAD_REQUEST, "module_name"),
            ModuleStoreError::Version { .. } | ModuleStoreError::Ambiguous { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "module_version")
            }
            ModuleStoreError::UnknownModule { .. } | ModuleStoreError::UnknownVersion { .. } => {
                (StatusCode::NOT_FOUND, "unknown_module")
            }
            ModuleStoreError::Contended { .. } => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            ModuleStoreError::Damaged { .. } | ModuleStoreError::Store { .. } => {
                return Self::store_failed(error);
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<ActivateError> for ApiError {
    fn from(error: ActivateError) -> Self {
        let (status, code) = match error {
            ActivateError::UnknownStage { .. } => (StatusCode::NOT_FOUND, "unknown_stage"),
            ActivateError::Unfit(_) => (StatusCode::UNPROCESSABLE_ENTITY, "module_refused"),
            ActivateError::Incompatible { .. } => (StatusCode::CONFLICT, "incompatible"),
            ActivateError::Busy { .. } => (StatusCode::CONFLICT, "activation_under_way"),
            ActivateError::NotRunning { .. } | ActivateError::Ended { .. } => {
                (StatusCode::CONFLICT, "not_running")
            }
            ActivateError::NotReady { .. } | ActivateError::NotOpen { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
            }
            ActivateError::Lost { .. } => (StatusCode::SERVICE_UNAVAILABLE, "lane_ended"),
            ActivateError::Pending { .. } => (StatusCode::GATEWAY_TIMEOUT, "not_durable_yet"),
            ActivateError::Modules(error) => return error.into(),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            _ => "bad_body",
        };
        Self::new(rejection.status(), code, rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), "bad_query", rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), "bad_path", rejection.body_text())
    }
}
