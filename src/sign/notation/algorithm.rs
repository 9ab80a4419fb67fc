use crate::sign::key::{Hash, KeyKind, PublicKey, Scheme};

/// How a signature is made. It follows from the key: there is no choice, and so nothing to confuse.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signature-specification.md#signature-algorithm-requirements>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PSS with SHA-256, for RSA keys of 2048 bits.
    Ps256,
    /// RSASSA-PSS with SHA-384, for RSA keys of 3072 bits.
    Ps384,
    /// RSASSA-PSS with SHA-512, for RSA keys of 4096 bits.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Ps256, Self::Ps384, Self::Ps512, Self::Es256, Self::Es384, Self::Es512];

    /// The algorithm of a key; nothing where Notary Project has none for it.
    pub fn of(key: &PublicKey) -> Option<Self> {
        Some(match key.kind() {
            KeyKind::Rsa { bits: 2048 } => Self::Ps256,
            KeyKind::Rsa { bits: 3072 } => Self::Ps384,
            KeyKind::Rsa { bits: 4096 } => Self::Ps512,
            KeyKind::P256 => Self::Es256,
            KeyKind::P384 => Self::Es384,
            KeyKind::P521 => Self::Es512,
            KeyKind::Rsa { .. } | KeyKind::Ed25519 => return None,
        })
    }

    /// Its name in a JWS header.
    pub const fn jws(self) -> &'static str {
        match self {
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
        }
    }

    /// What a plugin calls a key that signs so.
    pub const fn key_spec(self) -> &'static str {
        match self {
            Self::Ps256 => "RSA-2048",
            Self::Ps384 => "RSA-3072",
            Self::Ps512 => "RSA-4096",
            Self::Es256 => "EC-256",
            Self::Es384 => "EC-384",
            Self::Es512 => "EC-521",
        }
    }

    /// What a plugin calls it.
    pub const fn plugin_name(self) -> &'static str {
        match self {
            Self::Ps256 => "RSASSA-PSS-SHA-256",
            Self::Ps384 => "RSASSA-PSS-SHA-384",
            Self::Ps512 => "RSASSA-PSS-SHA-512",
            Self::Es256 => "ECDSA-SHA-256",
            Self::Es384 => "ECDSA-SHA-384",
            Self::Es512 => "ECDSA-SHA-512",
        }
    }

    /// What a plugin calls the hash in it.
    pub const fn hash_name(self) -> &'static str {
        match self.hash() {
            Hash::Sha256 => "SHA-256",
            Hash::Sha384 => "SHA-384",
            Hash::Sha512 => "SHA-512",
        }
    }

    /// The hash in it.
    pub const fn hash(self) -> Hash {
        match self {
            Self::Ps256 | Self::Es256 => Hash::Sha256,
            Self::Ps384 | Self::Es384 => Hash::Sha384,
            Self::Ps512 | Self::Es512 => Hash::Sha512,
        }
    }

    /// How the key signs.
    pub const fn scheme(self) -> Scheme {
        match self {
            Self::Ps256 | Self::Ps384 | Self::Ps512 => Scheme::RsaPss(self.hash()),
            Self::Es256 | Self::Es384 | Self::Es512 => Scheme::EcdsaFixed(self.hash()),
        }
    }
}
