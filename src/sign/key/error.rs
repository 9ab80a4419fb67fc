use super::KeyKind;

/// Why a key cannot be used, or a signature is not its own. It says nothing of what a private key holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no private key in the text.
    #[error("there is no private key: write PEM, as PKCS#8, SEC 1 or PKCS#1 have it, not encrypted")]
    NoPrivateKey,
    /// There is no public key in the text.
    #[error("there is no public key: write PEM that begins with `-----BEGIN PUBLIC KEY-----`")]
    NoPublicKey,
    /// It cannot be read.
    #[error("the key cannot be read, or does not fit together")]
    Malformed,
    /// A kind of key that is not known.
    #[error("the kind of key is not known: RSA, P-256, P-384, P-521 and Ed25519 are")]
    Unknown,
    /// The key cannot do that.
    #[error("a key of the kind {kind} does not sign in that way")]
    Scheme {
        /// What kind it is.
        kind: KeyKind,
    },
    /// There was nothing to make one from.
    #[error("a new key could not be made")]
    NotMade,
    /// Signing went wrong.
    #[error("the key did not sign")]
    NotSigned,
    /// Somebody else signed, or something else.
    #[error("the signature is not that of the key")]
    NotVerified,
}
