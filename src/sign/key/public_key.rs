use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1,
    ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA512_ASN1,
    ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use const_oid::db::{rfc5912, rfc8410};
use der::{Decode, Sequence, asn1::UintRef, pem};
use spki::SubjectPublicKeyInfoRef;
use tokio_rustls::rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};

use super::{Hash, KeyError, KeyKind, Scheme};

/// A key that verifies.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// `SubjectPublicKeyInfo`.
    spki: Box<[u8]>,
    /// The key alone.
    raw: Box<[u8]>,
    kind: KeyKind,
}

/// <https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1>
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl PublicKey {
    /// Reads `SubjectPublicKeyInfo`.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
        let raw = info.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?;
        let kind = match info.algorithm.oid {
            rfc5912::RSA_ENCRYPTION => {
                let key = RsaPublicKey::from_der(raw).map_err(|_| KeyError::Malformed)?;
                let modulus = key.modulus.as_bytes();
                let zeros = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
                KeyKind::Rsa { bits: (modulus.len() * 8).saturating_sub(zeros) }
            }
            rfc5912::ID_EC_PUBLIC_KEY => match info.algorithm.parameters_oid() {
                Ok(rfc5912::SECP_256_R_1) => KeyKind::P256,
                Ok(rfc5912::SECP_384_R_1) => KeyKind::P384,
                Ok(rfc5912::SECP_521_R_1) => KeyKind::P521,
                _ => return Err(KeyError::Unknown),
            },
            rfc8410::ID_ED_25519 => KeyKind::Ed25519,
            _ => return Err(KeyError::Unknown),
        };
        Ok(Self { spki: der.into(), raw: raw.into(), kind })
    }

    /// Reads PEM.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NoPublicKey)?;
        Self::from_spki_der(&info)
    }

    /// `SubjectPublicKeyInfo`.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The same as PEM.
    pub fn to_pem(&self) -> String {
        // The label is one that PEM can hold.
        pem::encode_string("PUBLIC KEY", pem::LineEnding::LF, &self.spki).unwrap_or_default()
    }

    /// What kind of key it is.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Fails unless `signature` over `message` is that of this key.
    pub fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let algorithm: &'static dyn VerificationAlgorithm = match (self.kind, scheme) {
            (KeyKind::P256, Scheme::EcdsaFixed(Hash::Sha256)) => &ECDSA_P256_SHA256_FIXED,
            (KeyKind::P384, Scheme::EcdsaFixed(Hash::Sha384)) => &ECDSA_P384_SHA384_FIXED,
            (KeyKind::P521, Scheme::EcdsaFixed(Hash::Sha512)) => &ECDSA_P521_SHA512_FIXED,
            (KeyKind::P256, Scheme::EcdsaDer(Hash::Sha256)) => &ECDSA_P256_SHA256_ASN1,
            (KeyKind::P256, Scheme::EcdsaDer(Hash::Sha384)) => &ECDSA_P256_SHA384_ASN1,
            (KeyKind::P256, Scheme::EcdsaDer(Hash::Sha512)) => &ECDSA_P256_SHA512_ASN1,
            (KeyKind::P384, Scheme::EcdsaDer(Hash::Sha256)) => &ECDSA_P384_SHA256_ASN1,
            (KeyKind::P384, Scheme::EcdsaDer(Hash::Sha384)) => &ECDSA_P384_SHA384_ASN1,
            (KeyKind::P384, Scheme::EcdsaDer(Hash::Sha512)) => &ECDSA_P384_SHA512_ASN1,
            (KeyKind::P521, Scheme::EcdsaDer(Hash::Sha256)) => &ECDSA_P521_SHA256_ASN1,
            (KeyKind::P521, Scheme::EcdsaDer(Hash::Sha384)) => &ECDSA_P521_SHA384_ASN1,
            (KeyKind::P521, Scheme::EcdsaDer(Hash::Sha512)) => &ECDSA_P521_SHA512_ASN1,
            (KeyKind::Rsa { .. }, Scheme::RsaPss(Hash::Sha256)) => &RSA_PSS_2048_8192_SHA256,
            (KeyKind::Rsa { .. }, Scheme::RsaPss(Hash::Sha384)) => &RSA_PSS_2048_8192_SHA384,
            (KeyKind::Rsa { .. }, Scheme::RsaPss(Hash::Sha512)) => &RSA_PSS_2048_8192_SHA512,
            (KeyKind::Rsa { .. }, Scheme::RsaPkcs1(Hash::Sha256)) => &RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::Rsa { .. }, Scheme::RsaPkcs1(Hash::Sha384)) => &RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa { .. }, Scheme::RsaPkcs1(Hash::Sha512)) => &RSA_PKCS1_2048_8192_SHA512,
            (KeyKind::Ed25519, Scheme::Ed25519) => &ED25519,
            (kind, _) => return Err(KeyError::Scheme { kind }),
        };
        let key = UnparsedPublicKey::new(algorithm, &self.raw);
        key.verify(message, signature).map_err(|_| KeyError::NotVerified)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kind)
    }
}
