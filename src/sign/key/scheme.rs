use super::Hash;

/// How a signature is made, and how its bytes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA, both numbers with as many bytes as the curve has, one after the other: as envelopes have it.
    EcdsaFixed(Hash),
    /// ECDSA, both numbers in DER: as certificates have it.
    EcdsaDer(Hash),
    /// RSASSA-PSS, the salt as long as the hash, which is that of the mask as well.
    RsaPss(Hash),
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1(Hash),
    /// Ed25519, over the message itself.
    Ed25519,
}
