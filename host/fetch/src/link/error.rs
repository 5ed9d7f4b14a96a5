//! Why a broker gives no answer, in words that name what to do about it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError};

use crate::fault::Fault;
use crate::wire::Question;

/// Why a broker gives no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// It cannot be reached, or has gone.
    #[error("{0}")]
    Away(io::Error),
    /// It ended the connection.
    #[error("it closed the connection")]
    Closed,
    /// It ended the connection before it said anything.
    #[error(
        "it closed the connection before its first answer: check the port and `security.protocol`, which is {0}"
    )]
    ClosedAtOnce(&'static str),
    /// Its first answer is an alert of TLS.
    #[error("it answers by TLS: check the port and `security.protocol`, which is {0}")]
    SpeaksTls(&'static str),
    /// Its answer cannot be read.
    #[error("its answer cannot be read: {0}")]
    Nonsense(#[from] Fault),
    /// Its answer is larger than we take.
    #[error("its answer has {size} bytes and {limit} are taken")]
    TooLarge {
        /// Bytes of the answer.
        size: usize,
        /// Bytes that are taken.
        limit: usize,
    },
    /// It is too old, or no Kafka.
    #[error("{}", lacks(.question, *.newest))]
    Lacks {
        /// What it does not understand.
        question: Question,
        /// The newest version that it does; none if it knows no version.
        newest: Option<i16>,
    },
    /// No encrypted connection comes about.
    #[error("{0}")]
    Tls(String),
    /// It does not let us in.
    #[error("{0}")]
    Denied(String),
}

impl LinkError {
    /// The sentence about a broker that gives this reason.
    pub(crate) fn of_broker(&self, host: &str, port: u16) -> String {
        match self {
            Self::Tls(_) | Self::Denied(_) | Self::Lacks { .. } => {
                format!("broker `{host}:{port}` cannot be used: {self}")
            }
            _ => format!("broker `{host}:{port}` is not reachable: {self}"),
        }
    }
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        match tls.map(words) {
            Some(words) => Self::Tls(words),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Away(error),
        }
    }
}

fn lacks(question: &Question, newest: Option<i16>) -> String {
    let Question { name, version, .. } = question;
    match newest {
        Some(newest) => format!("it speaks {name} up to version {newest}, and {version} is needed"),
        None => format!("it does not speak {name}"),
    }
}

/// Why no encrypted connection comes about, and what to do.
fn words(error: &TlsError) -> String {
    use CertificateError as Certificate;
    match error {
        TlsError::InvalidMessage(_) => {
            "it does not speak TLS at this port: check the port and `security.protocol`".to_owned()
        }
        TlsError::InvalidCertificate(Certificate::UnknownIssuer) => {
            "its certificate is signed by an authority that is unknown here: name the authority's certificate in \
             `ssl.ca.location`"
                .to_owned()
        }
        TlsError::InvalidCertificate(
            reason @ (Certificate::NotValidForName | Certificate::NotValidForNameContext { .. }),
        ) => format!(
            "its certificate is for another name ({reason}): reach it by that name, or set \
             `ssl.endpoint.identification.algorithm = \"none\"`"
        ),
        TlsError::InvalidCertificate(reason) => format!("its certificate is refused: {reason}"),
        TlsError::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown),
        ) => format!(
            "it refuses our certificate ({alert:?}): check `ssl.certificate.location` and `ssl.key.location`"
        ),
        error => format!("there is no encrypted connection: {error}"),
    }
}
