use crate::sign::key::{Hash, KeyError, KeyKind, PublicKey, Scheme};

/// How a key of that kind signs, so that cosign verifies it.
///
/// P-384 and P-521 do not: cosign signs with the hash of the curve and verifies with SHA-256 alone
/// (<https://github.com/sigstore/cosign/issues/5091>).
pub const fn signing_scheme(kind: KeyKind) -> Option<Scheme> {
    match kind {
        KeyKind::P256 => Some(Scheme::EcdsaDer(Hash::Sha256)),
        KeyKind::Rsa { .. } => Some(Scheme::RsaPkcs1(Hash::Sha256)),
        KeyKind::Ed25519 => Some(Scheme::Ed25519),
        KeyKind::P384 | KeyKind::P521 => None,
    }
}

/// The ways in which keys of that kind have signed, the likeliest first.
const fn verifying_schemes(kind: KeyKind) -> &'static [Scheme] {
    match kind {
        KeyKind::P256 => &[Scheme::EcdsaDer(Hash::Sha256)],
        KeyKind::P384 => &[Scheme::EcdsaDer(Hash::Sha384), Scheme::EcdsaDer(Hash::Sha256)],
        KeyKind::P521 => &[Scheme::EcdsaDer(Hash::Sha512), Scheme::EcdsaDer(Hash::Sha256)],
        KeyKind::Rsa { .. } => &[Scheme::RsaPkcs1(Hash::Sha256)],
        KeyKind::Ed25519 => &[Scheme::Ed25519],
    }
}

/// Fails unless the key signed `message`, in one of the ways that are known.
pub(super) fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
    let is_its_own = |scheme: &Scheme| key.verify(*scheme, message, signature).is_ok();
    let verified = verifying_schemes(key.kind()).iter().any(is_its_own);
    if verified { Ok(()) } else { Err(KeyError::NotVerified) }
}
