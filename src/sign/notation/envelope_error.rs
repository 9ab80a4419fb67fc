use std::fmt::Display;

use crate::sign::certificate::CertificateError;

/// Why an envelope is not one that a key has signed.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// It is neither JWS nor COSE.
    #[error("an envelope of type `{media_type}` is not known: `application/jose+json` and `application/cose` are")]
    MediaType {
        /// What it says it is.
        media_type: String,
    },
    /// It cannot be read.
    #[error("the envelope cannot be read: {message}")]
    Malformed {
        /// Why.
        message: String,
    },
    /// The payload cannot be read.
    #[error("the payload cannot be read: {message}")]
    Payload {
        /// Why.
        message: String,
    },
    /// A header is missing or of a wrong kind.
    #[error("the header `{name}` {problem}")]
    Header {
        /// Which.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A header that everybody must understand is not said to be so.
    #[error("the header `{name}` is not listed as critical")]
    NotCritical {
        /// Which.
        name: &'static str,
    },
    /// A header that everybody must understand is not understood here.
    #[error("the critical attribute `{name}` is not understood, and no verification plugin is named for it")]
    UnknownCritical {
        /// Which.
        name: String,
    },
    /// The algorithm is not that of the key.
    #[error("it says that it is signed with `{said}`, and its key signs with `{expected}`")]
    Algorithm {
        /// What the header says.
        said: String,
        /// What follows from the key.
        expected: &'static str,
    },
    /// Notary Project has no algorithm for the key.
    #[error("the key of `{subject}` cannot sign: RSA with 2048, 3072 or 4096 bits, P-256, P-384 or P-521 is needed")]
    Key {
        /// Whose key.
        subject: String,
    },
    /// It expires before it was made.
    #[error("it expires before it was made")]
    ExpiresEarly,
    /// The chain of certificates is not one.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The key of the first certificate did not sign this.
    #[error("it was not signed by the key of `{subject}`, or was changed since")]
    Signature {
        /// Whose certificate comes along.
        subject: String,
    },
}

impl EnvelopeError {
    pub(super) fn malformed(message: impl Display) -> Self {
        Self::Malformed { message: format!("{message}") }
    }

    pub(super) fn header(name: impl Into<String>, problem: &'static str) -> Self {
        Self::Header { name: name.into(), problem }
    }
}
