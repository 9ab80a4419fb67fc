use const_oid::db::{rfc5912, rfc8410};
use der::{Decode, Encode, Sequence, asn1::ObjectIdentifier};
use spki::AlgorithmIdentifierOwned;

use crate::sign::key::{Hash, Scheme};

/// How a certificate, a list of revoked ones or a token is signed, by its object identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureAlgorithm(pub Scheme);

/// The parameters of RSASSA-PSS, as far as they are looked at.
///
/// <https://www.rfc-editor.org/rfc/rfc4055#section-3.1>
#[derive(Sequence)]
struct PssParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt: Option<u32>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u32>,
}

impl SignatureAlgorithm {
    /// The algorithm of that identifier; nothing where it is not known or too weak. With SHA-1 anybody can make two
    /// certificates with one signature.
    pub fn of(identifier: &AlgorithmIdentifierOwned) -> Option<Self> {
        Some(Self(match identifier.oid {
            rfc5912::SHA_256_WITH_RSA_ENCRYPTION => Scheme::RsaPkcs1(Hash::Sha256),
            rfc5912::SHA_384_WITH_RSA_ENCRYPTION => Scheme::RsaPkcs1(Hash::Sha384),
            rfc5912::SHA_512_WITH_RSA_ENCRYPTION => Scheme::RsaPkcs1(Hash::Sha512),
            rfc5912::ECDSA_WITH_SHA_256 => Scheme::EcdsaDer(Hash::Sha256),
            rfc5912::ECDSA_WITH_SHA_384 => Scheme::EcdsaDer(Hash::Sha384),
            rfc5912::ECDSA_WITH_SHA_512 => Scheme::EcdsaDer(Hash::Sha512),
            rfc5912::ID_RSASSA_PSS => {
                let parameters = identifier.parameters.as_ref()?.to_der().ok()?;
                let parameters = PssParameters::from_der(&parameters).ok()?;
                Scheme::RsaPss(Self::hash(parameters.hash.as_ref()?.oid)?)
            }
            rfc8410::ID_ED_25519 => Scheme::Ed25519,
            _ => return None,
        }))
    }

    /// The hash of that object identifier; nothing where it is not known or too weak.
    pub fn hash(identifier: ObjectIdentifier) -> Option<Hash> {
        match identifier {
            rfc5912::ID_SHA_256 => Some(Hash::Sha256),
            rfc5912::ID_SHA_384 => Some(Hash::Sha384),
            rfc5912::ID_SHA_512 => Some(Hash::Sha512),
            _ => None,
        }
    }
}
