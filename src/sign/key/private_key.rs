use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
        ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
        RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    },
};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use zeroize::Zeroizing;

use super::{Hash, KeyError, KeyKind, PublicKey, Scheme};

/// A key that signs. It is never shown.
pub struct PrivateKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    /// The same key twice, for the two ways in which its signatures are laid out.
    Ecdsa {
        fixed: EcdsaKeyPair,
        der: EcdsaKeyPair,
    },
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

const CURVES: [(&EcdsaSigningAlgorithm, &EcdsaSigningAlgorithm); 3] = [
    (&ECDSA_P256_SHA256_FIXED_SIGNING, &ECDSA_P256_SHA256_ASN1_SIGNING),
    (&ECDSA_P384_SHA384_FIXED_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING),
    (&ECDSA_P521_SHA512_FIXED_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING),
];

impl PrivateKey {
    /// A new key, on P-256, that is nowhere else.
    pub fn generate() -> Result<Self, KeyError> {
        Self::from_pkcs8_der(&Self::new_pkcs8()?)
    }

    /// Reads PEM that is not encrypted: PKCS#8, SEC 1 or PKCS#1.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        match PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::NoPrivateKey)? {
            PrivateKeyDer::Pkcs1(der) => Self::rsa(RsaKeyPair::from_der(der.secret_pkcs1_der())),
            PrivateKeyDer::Sec1(der) => Self::ecdsa(der.secret_sec1_der()).ok_or(KeyError::Malformed)?,
            PrivateKeyDer::Pkcs8(der) => Self::from_pkcs8_der(der.secret_pkcs8_der()),
            _ => Err(KeyError::NoPrivateKey),
        }
    }

    /// Reads PKCS#8 that is not encrypted.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        if let Some(key) = Self::ecdsa(der) {
            return key;
        }
        match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            Ok(pair) => {
                let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyError::Malformed)?;
                let public = PublicKey::from_spki_der(public.as_ref())?;
                Ok(Self { pair: Pair::Ed25519(pair), public })
            }
            Err(_) => Self::rsa(RsaKeyPair::from_pkcs8(der)),
        }
    }

    /// The key of a curve; nothing where it is another kind of key.
    fn ecdsa(der: &[u8]) -> Option<Result<Self, KeyError>> {
        CURVES.iter().find_map(|(fixed, asn1)| {
            let fixed = EcdsaKeyPair::from_private_key_der(fixed, der).ok()?;
            let asn1 = EcdsaKeyPair::from_private_key_der(asn1, der).ok()?;
            let public: Result<PublicKeyX509Der<'_>, _> = fixed.public_key().as_der();
            let public = public.map_err(|_| KeyError::Malformed).and_then(|der| PublicKey::from_spki_der(der.as_ref()));
            Some(public.map(|public| Self { pair: Pair::Ecdsa { fixed, der: asn1 }, public }))
        })
    }

    fn rsa(pair: Result<RsaKeyPair, aws_lc_rs::error::KeyRejected>) -> Result<Self, KeyError> {
        let pair = pair.map_err(|_| KeyError::Malformed)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyError::Malformed)?;
        let public = PublicKey::from_spki_der(public.as_ref())?;
        Ok(Self { pair: Pair::Rsa(pair), public })
    }

    /// A new key on P-256, PKCS#8, that is not encrypted.
    pub fn new_pkcs8() -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| KeyError::NotMade)?;
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::NotMade)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The key that verifies what this one signs.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Whether it signs in so short a time that it is not worth being waited for elsewhere: a signature on P-256 takes some
    /// ten microseconds, one of an RSA key of 4096 bits some milliseconds.
    pub const fn is_quick(&self) -> bool {
        matches!(self.public.kind(), KeyKind::P256 | KeyKind::Ed25519)
    }

    /// The signature over `message`.
    pub fn sign(&self, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        let kind = self.public.kind();
        match (&self.pair, scheme) {
            (Pair::Ecdsa { fixed, .. }, Scheme::EcdsaFixed(hash)) if hash == curve_hash(kind) => {
                Ok(fixed.sign(&random, message).map_err(|_| KeyError::NotSigned)?.as_ref().to_vec())
            }
            (Pair::Ecdsa { der, .. }, Scheme::EcdsaDer(hash)) if hash == curve_hash(kind) => {
                Ok(der.sign(&random, message).map_err(|_| KeyError::NotSigned)?.as_ref().to_vec())
            }
            (Pair::Ed25519(pair), Scheme::Ed25519) => Ok(pair.sign(message).as_ref().to_vec()),
            (Pair::Rsa(pair), Scheme::RsaPss(hash)) => {
                let encoding: &'static dyn RsaEncoding = match hash {
                    Hash::Sha256 => &RSA_PSS_SHA256,
                    Hash::Sha384 => &RSA_PSS_SHA384,
                    Hash::Sha512 => &RSA_PSS_SHA512,
                };
                sign_rsa(pair, encoding, &random, message)
            }
            (Pair::Rsa(pair), Scheme::RsaPkcs1(hash)) => {
                let encoding: &'static dyn RsaEncoding = match hash {
                    Hash::Sha256 => &RSA_PKCS1_SHA256,
                    Hash::Sha384 => &RSA_PKCS1_SHA384,
                    Hash::Sha512 => &RSA_PKCS1_SHA512,
                };
                sign_rsa(pair, encoding, &random, message)
            }
            _ => Err(KeyError::Scheme { kind }),
        }
    }
}

fn sign_rsa(
    pair: &RsaKeyPair,
    encoding: &'static dyn RsaEncoding,
    random: &SystemRandom,
    message: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, random, message, &mut signature).map_err(|_| KeyError::NotSigned)?;
    Ok(signature)
}

/// The hash that a curve signs with.
const fn curve_hash(kind: KeyKind) -> Hash {
    match kind {
        KeyKind::P384 => Hash::Sha384,
        KeyKind::P521 => Hash::Sha512,
        KeyKind::P256 | KeyKind::Rsa { .. } | KeyKind::Ed25519 => Hash::Sha256,
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public.kind())
    }
}
