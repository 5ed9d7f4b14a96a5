//! What a failure of a store means: whether it may pass, whether the request may have taken effect, what to do.

use super::Location;

/// What a store's error says about the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFailure {
    /// Timeouts, broken connections, 5xx, a full disk: trying again may help, and nobody need do anything.
    MayPass,
    /// The store answered no: credentials, rights, a bucket that is not there. Trying again helps when somebody
    /// has done something about it, so it is tried again, and shown with the fix.
    Refused {
        /// An instruction for whoever runs the store, without a full stop: a suffix of messages.
        fix: &'static str,
    },
    /// The store cannot do what is asked of it, and never will.
    Impossible,
}

impl StoreFailure {
    /// Judges by the kind of error, and by its text where a kind holds several causes.
    pub fn of(error: &object_store::Error) -> Self {
        use object_store::Error;
        match error {
            Error::Unauthenticated { .. } => Self::Refused { fix: FIX_CREDENTIALS },
            Error::PermissionDenied { .. } => Self::Refused { fix: fix_of_denial(error) },
            // A listing's errors are all of the same kind; only their text says which.
            Error::NotFound { .. } | Error::Generic { .. } if is_bucket_missing(error) => {
                Self::Refused { fix: "create the bucket, or correct its name in the URL" }
            }
            Error::Generic { .. } if has_status(error, "401") => {
                Self::Refused { fix: FIX_CREDENTIALS }
            }
            Error::Generic { .. } if has_status(error, "403") => {
                Self::Refused { fix: fix_of_denial(error) }
            }
            Error::NotSupported { .. }
            | Error::NotImplemented { .. }
            | Error::InvalidPath { .. }
            | Error::UnknownConfigurationKey { .. } => Self::Impossible,
            Error::Generic { .. } if text_of(error).contains("Received redirect") => {
                Self::Refused { fix: "set AWS_REGION to the bucket's region" }
            }
            _ => Self::MayPass,
        }
    }
}

const FIX_CREDENTIALS: &str = "check the store's credentials in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, …)";

/// A denial may be about who asks or about what they may do.
fn fix_of_denial(error: &object_store::Error) -> &'static str {
    let text = text_of(error);
    let wrong_identity = ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"];
    if wrong_identity.iter().any(|code| text.contains(code)) {
        FIX_CREDENTIALS
    } else {
        "give the account (or the user of this process) the rights to list, read, write and delete there"
    }
}

/// Whether an object is known not to be there. A bucket that is missing says nothing about its objects.
pub fn is_absent(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && !is_bucket_missing(error)
}

/// Whether a put that failed with `error` may have taken effect, or may still: then its name may only ever be used
/// again with the same bytes. False only where the store answered no. A connection that was refused proves nothing:
/// the client tries again by itself and shows its last error, and an attempt before that may have arrived.
pub fn is_indeterminate(error: &object_store::Error) -> bool {
    !matches!(StoreFailure::of(error), StoreFailure::Refused { .. } | StoreFailure::Impossible)
}

/// One line for a person: what was attempted where, the store's words, and the fix if there is one.
pub fn explain(what: &str, location: &Location, error: &object_store::Error) -> String {
    let line = format!("{what} in {}: {}", location.url, essence(error));
    match StoreFailure::of(error) {
        StoreFailure::Refused { fix } => format!("{line}; {fix}"),
        StoreFailure::MayPass | StoreFailure::Impossible => line,
    }
}

/// S3's code for it stands in the body of the reply, which the client keeps only as text; Azure and Google have
/// their own.
fn is_bucket_missing(error: &object_store::Error) -> bool {
    let text = text_of(error);
    ["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]
        .iter()
        .any(|code| text.contains(code))
}

/// The errors of this crate print their sources themselves.
fn text_of(error: &object_store::Error) -> String {
    error.to_string()
}

fn has_status(error: &object_store::Error, status: &str) -> bool {
    text_of(error).contains(&format!("non-2xx status code: {status}"))
}

/// What the store answered, or the system where no store did. How often and how long the client tried, and what it
/// asked for, is left out.
fn essence(error: &object_store::Error) -> String {
    let text = text_of(error);
    if let Some(code) = element(&text, "Code") {
        return match element(&text, "Message") {
            Some(message) => shortened(&format!("{message} ({code})")),
            None => code.to_owned(),
        };
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    match server_of(&text) {
        Some(server) => shortened(&format!("{server}: {cause}")),
        None => shortened(&text),
    }
}

/// The content of an element of the store's XML.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, content) = text.split_once(&format!("<{name}>"))?;
    content.split_once(&format!("</{name}>")).map(|(content, _)| content)
}

/// `http://host:port` of the request that failed.
fn server_of(text: &str) -> Option<&str> {
    let url = &text[text.find("http://").or_else(|| text.find("https://"))?..];
    let host = url.find("//")? + 2;
    let end = url[host..].find(['/', '?', ' ', ')']).map_or(url.len(), |length| host + length);
    Some(&url[..end])
}

/// Replies of stores are whole XML documents; a status line takes the beginning of one.
const TEXT_BYTES_MAX: usize = 300;

pub(super) fn shortened(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TEXT_BYTES_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
