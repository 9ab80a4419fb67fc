use const_oid::db::rfc5912;
use der::{
    Encode,
    asn1::{OctetString, UintRef},
};
use spki::AlgorithmIdentifierOwned;

use super::{
    TimestampError,
    asn1::{MessageImprint, TimeStampReq},
};
use crate::sign::key::Hash;

/// A question to a timestamp service: when was this there?
#[derive(Debug, Clone)]
pub struct Request {
    imprint: MessageImprint,
    nonce: [u8; 16],
}

impl Request {
    /// The media type of a request.
    pub const MEDIA_TYPE: &'static str = "application/timestamp-query";

    /// Asks for a timestamp over the hash of `message`. `nonce` is random: the answer must have it as well.
    pub fn new(hash: Hash, message: &[u8], nonce: [u8; 16]) -> Result<Self, TimestampError> {
        let oid = match hash {
            Hash::Sha256 => rfc5912::ID_SHA_256,
            Hash::Sha384 => rfc5912::ID_SHA_384,
            Hash::Sha512 => rfc5912::ID_SHA_512,
        };
        let hashed = OctetString::new(hash.of(message)).map_err(TimestampError::malformed)?;
        let imprint = MessageImprint { algorithm: AlgorithmIdentifierOwned { oid, parameters: None }, hashed };
        Ok(Self { imprint, nonce })
    }

    /// The bytes to send.
    pub fn to_der(&self) -> Result<Vec<u8>, TimestampError> {
        let nonce = UintRef::new(&self.nonce).map_err(TimestampError::malformed)?;
        let request = TimeStampReq { version: 1, imprint: self.imprint.clone(), nonce, wants_certificates: true };
        request.to_der().map_err(TimestampError::malformed)
    }

    pub(super) const fn imprint(&self) -> &MessageImprint {
        &self.imprint
    }

    /// The nonce without leading zeros, as a number has it.
    pub(super) fn nonce(&self) -> &[u8] {
        let zeros = self.nonce.iter().take_while(|byte| **byte == 0).count();
        self.nonce.get(zeros..).unwrap_or_default()
    }
}
