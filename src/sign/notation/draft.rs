use jiff::Timestamp;

use super::{
    Algorithm, EnvelopeFormat, SigningScheme, cose,
    headers::{AUTHENTIC_SIGNING_TIME, SIGNING_TIME},
    jws,
};
use crate::sign::certificate::Chain;

/// An envelope before it is signed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// How it will be wrapped.
    pub format: EnvelopeFormat,
    /// What the key will do.
    pub algorithm: Algorithm,
    /// Who vouches for the time.
    pub scheme: SigningScheme,
    /// When it is signed, in whole seconds.
    pub signing_time: Timestamp,
    /// Until when it counts, in whole seconds.
    pub expiry: Option<Timestamp>,
    /// What is signed.
    pub payload: Vec<u8>,
}

impl Draft {
    /// What the key signs.
    pub fn to_sign(&self) -> Vec<u8> {
        match self.format {
            EnvelopeFormat::Jws => jws::to_sign(self),
            EnvelopeFormat::Cose => cose::to_sign(self),
        }
    }

    /// The envelope, with the signature over [`Draft::to_sign`].
    pub fn seal(&self, signature: &[u8], chain: &Chain, timestamp: Option<&[u8]>) -> Vec<u8> {
        match self.format {
            EnvelopeFormat::Jws => jws::write(&self.to_sign(), signature, chain, timestamp),
            EnvelopeFormat::Cose => cose::write(self, signature, chain, timestamp),
        }
    }

    pub(super) const fn time_header(&self) -> &'static str {
        match self.scheme {
            SigningScheme::X509 => SIGNING_TIME,
            SigningScheme::SigningAuthority => AUTHENTIC_SIGNING_TIME,
        }
    }
}
