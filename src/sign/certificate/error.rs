use jiff::Timestamp;

use crate::sign::key::KeyError;

/// What is wrong with a certificate or a chain of them.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It cannot be read.
    #[error("the certificate cannot be read: {message}")]
    Unreadable {
        /// Why.
        message: String,
    },
    /// A file with no certificate in it.
    #[error("there is no certificate: write PEM, the certificate of the key first, then its issuers up to the root")]
    None,
    /// More than anybody needs.
    #[error("a chain of {count} certificates is too long: at most {limit}")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Its public key is none that is known.
    #[error("the key of the certificate `{subject}` cannot be used: {source}")]
    Key {
        /// Whose.
        subject: String,
        /// Why.
        source: KeyError,
    },
    /// It is signed in a way that proves nothing, or that is not known.
    #[error(
        "the certificate `{subject}` is signed with {algorithm}: SHA-256 or better with RSA, ECDSA or Ed25519 is needed"
    )]
    SignatureAlgorithm {
        /// Which certificate.
        subject: String,
        /// The object identifier, or its name.
        algorithm: String,
    },
    /// The next certificate is not that of its issuer.
    #[error("the certificate `{subject}` was not issued by the next one in the chain, `{next}`")]
    NotIssuedBy {
        /// Which certificate.
        subject: String,
        /// The next one.
        next: String,
    },
    /// The chain does not end at a root.
    #[error("the chain ends at `{subject}`, which is not self-signed: add its issuers up to the root")]
    Incomplete {
        /// The last certificate.
        subject: String,
    },
    /// The chain goes on after a root.
    #[error("the chain goes on after `{subject}`, which is self-signed")]
    GoesOn {
        /// The certificate that should be the last.
        subject: String,
    },
    /// It may not issue certificates.
    #[error("the certificate `{subject}` is not that of an authority: {reason}")]
    NotAuthority {
        /// Which certificate.
        subject: String,
        /// What is missing.
        reason: &'static str,
    },
    /// There are more certificates below it than it allows.
    #[error("the certificate `{subject}` allows {allowed} authorities below it, and there are {below}")]
    PathLength {
        /// Which certificate.
        subject: String,
        /// How many it allows.
        allowed: u8,
        /// How many there are.
        below: usize,
    },
    /// Its key may not be used for that.
    #[error("the certificate `{subject}` must not be used for {purpose}: {reason}")]
    Usage {
        /// Which certificate.
        subject: String,
        /// For what it is used.
        purpose: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// It does not count at that time.
    #[error("the certificate `{subject}` does not count at {at}: it is valid from {from} until {until}")]
    NotValid {
        /// Which certificate.
        subject: String,
        /// At which time.
        at: Timestamp,
        /// Its first moment.
        from: Timestamp,
        /// Its last moment.
        until: Timestamp,
    },
}
