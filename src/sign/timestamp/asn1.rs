//! The structures of RFC 3161 that are written and read as they are.

use der::{
    Sequence,
    asn1::{BitString, OctetString, UintRef},
};
use spki::AlgorithmIdentifierOwned;

/// What a timestamp is over: a hash.
#[derive(Debug, Clone, PartialEq, Eq, Sequence)]
pub(super) struct MessageImprint {
    pub(super) algorithm: AlgorithmIdentifierOwned,
    pub(super) hashed: OctetString,
}

/// <https://www.rfc-editor.org/rfc/rfc3161#section-2.4.1>
#[derive(Debug, Sequence)]
pub(super) struct TimeStampReq<'a> {
    pub(super) version: u8,
    pub(super) imprint: MessageImprint,
    pub(super) nonce: UintRef<'a>,
    /// The certificate of the service is to come along.
    pub(super) wants_certificates: bool,
}

/// <https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2>
#[derive(Debug, Sequence)]
pub(super) struct Status {
    pub(super) code: u32,
    #[asn1(optional = "true")]
    pub(super) text: Option<Vec<String>>,
    #[asn1(optional = "true")]
    pub(super) failure: Option<BitString>,
}
