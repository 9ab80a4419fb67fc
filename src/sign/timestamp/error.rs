use std::fmt::Display;

use crate::sign::certificate::CertificateError;

/// Why a timestamp does not say when something was there.
#[derive(Debug, thiserror::Error)]
pub enum TimestampError {
    /// It cannot be read.
    #[error("the timestamp cannot be read: {message}")]
    Malformed {
        /// Why.
        message: String,
    },
    /// The service said no.
    #[error("the timestamp service refused{}", reason(text))]
    Refused {
        /// What it said.
        text: String,
    },
    /// It answers another question.
    #[error("the timestamp is that of another request")]
    OtherRequest,
    /// It is over something else.
    #[error("the timestamp is over another signature")]
    OtherMessage,
    /// It is made with something that proves nothing, or that is not known.
    #[error("the timestamp is made with an algorithm that does not count: {algorithm}")]
    Algorithm {
        /// Its object identifier.
        algorithm: String,
    },
    /// The certificate of the service is nowhere.
    #[error("the timestamp does not bring the certificate of the service along: name that one as well")]
    NoCertificate,
    /// The token was not signed by the key of the certificate that it names.
    #[error("the timestamp was not signed by the key of `{subject}`, or was changed since")]
    Signature {
        /// Whose certificate it names.
        subject: String,
    },
    /// The chain of the service is not one.
    #[error("the timestamp: {0}")]
    Certificate(#[from] CertificateError),
    /// The service is not trusted.
    #[error(
        "the timestamp service `{subject}` is not trusted: it was certified by `{root}`, which is no trusted authority for timestamps"
    )]
    Untrusted {
        /// Whose certificate it is.
        subject: String,
        /// Whose certificate ends the chain.
        root: String,
    },
}

fn reason(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl TimestampError {
    pub(super) fn malformed(message: impl Display) -> Self {
        Self::Malformed { message: format!("{message}") }
    }
}
