//! Makes the bucket of a location that has none yet: for demos and tests. In production whoever owns the account makes
//! it, with the rights and the life cycle that belong there.

use std::time::Duration;

use object_store::path::Path;
use object_store::signer::Signer;
use reqwest::{Method, StatusCode};

use super::cloud::s3_client;
use super::failure::shortened;
use super::{CONNECT_TIMEOUT, NOTHING_MOVES, StoreError, StoreOptions};

/// How long one request may take, and its signature holds.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Whether a bucket had to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// The bucket was missing, and this call has made it.
    Created,
    /// It was there, and is ours.
    Existed,
    /// The place has no bucket: it is a folder of this machine.
    NotNeeded,
}

/// A bucket that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The URL or the environment is wrong.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Google Cloud Storage or Azure, whose buckets need a project or an account to be chosen.
    #[error("`{url}`: only S3 buckets are made here; make this one with the provider's own tool")]
    NotS3 {
        /// The place, as the caller's user wrote it.
        url: String,
    },
    /// No answer. Trying again may help.
    #[error("`{url}`: the store cannot be reached")]
    Unreachable {
        /// The place, as the caller's user wrote it.
        url: String,
        /// The client's or the time limit's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store answered with a status that no repetition changes, or with a 5xx while it starts.
    #[error("`{url}`: the store refuses to make the bucket: {status} {answer}")]
    Refused {
        /// The place, as the caller's user wrote it.
        url: String,
        /// HTTP status of the answer to the PUT of the bucket.
        status: StatusCode,
        /// Body of that answer, shortened to one line.
        answer: String,
    },
}

impl BucketError {
    /// Whether a store that is only starting would give this.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => status.is_server_error(),
            Self::Store(_) | Self::NotS3 { .. } => false,
        }
    }
}

/// Makes the bucket of `url` unless it is there.
///
/// # Errors
///
/// See [`BucketError`].
pub async fn create_bucket(url: &str, options: &StoreOptions) -> Result<Bucket, BucketError> {
    let rest = match url.split_once("://") {
        None | Some(("file", _)) => return Ok(Bucket::NotNeeded),
        Some(("s3" | "s3a", rest)) => rest,
        Some(_) => return Err(BucketError::NotS3 { url: url.to_owned() }),
    };
    let unreachable = |source| BucketError::Unreachable { url: url.to_owned(), source };
    let (client, _) = s3_client(url, rest, options, NOTHING_MOVES)?;
    // The client knows objects only; it signs for us what it would not send itself.
    let signed = client.signed_url(Method::PUT, &Path::default(), REQUEST_TIME).await;
    let signed = signed.map_err(|error| unreachable(error.into()))?;
    let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(REQUEST_TIME);
    let http = http.build().map_err(|error| unreachable(error.into()))?;
    let answer = http.put(signed).send().await;
    // The URL holds the signature: it stays out of messages.
    let answer = answer.map_err(|error| unreachable(error.without_url().into()))?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    match status {
        status if status.is_success() => Ok(Bucket::Created),
        StatusCode::CONFLICT if text.contains("BucketAlreadyOwnedByYou") => Ok(Bucket::Existed),
        status => {
            Err(BucketError::Refused { url: url.to_owned(), status, answer: shortened(&text) })
        }
    }
}
