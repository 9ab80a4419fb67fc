use super::{Algorithm, EnvelopeError, EnvelopeFormat, Payload, cose, headers::SignedHeaders, jws};
use crate::sign::certificate::{Chain, Purpose};

/// An envelope of which everything holds that can be told without trusting anybody: it was signed by the key of its first
/// certificate, its chain is one, and its headers go together.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// How it is signed.
    pub algorithm: Algorithm,
    /// What the signature covers besides the payload.
    pub headers: SignedHeaders,
    /// Whose key signed.
    pub chain: Chain,
    /// What was signed.
    pub payload: Payload,
    /// The signature itself, which a timestamp is over.
    pub signature: Vec<u8>,
    /// A timestamp token, as it stands there.
    pub timestamp: Option<Vec<u8>>,
}

impl Envelope {
    /// The largest that is read.
    pub const LARGEST: u64 = 32 * 1024 * 1024;

    /// Reads an envelope and checks all of that.
    pub fn read(media_type: &str, bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let parts = match EnvelopeFormat::of(media_type)? {
            EnvelopeFormat::Jws => jws::read(bytes)?,
            EnvelopeFormat::Cose => cose::read(bytes)?,
        };
        let headers = parts.headers.check()?;
        let chain = Chain::read(&parts.certificates, Purpose::Signing)?;
        let subject = || chain.leaf().subject().to_string();
        let key = chain.leaf().public_key()?;
        let algorithm = Algorithm::of(&key).ok_or_else(|| EnvelopeError::Key { subject: subject() })?;
        if parts.algorithm != algorithm.jws() {
            return Err(EnvelopeError::Algorithm { said: parts.algorithm, expected: algorithm.jws() });
        }
        let verified = key.verify(algorithm.scheme(), &parts.signed, &parts.signature);
        verified.map_err(|_| EnvelopeError::Signature { subject: subject() })?;
        let payload = Payload::read(&parts.payload)?;
        Ok(Self { algorithm, headers, chain, payload, signature: parts.signature, timestamp: parts.timestamp })
    }
}
