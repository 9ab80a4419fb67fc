use schemars::JsonSchema;
use serde::Deserialize;

use super::SignatureFormat;

/// How a signature is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvelopeName {
    /// One of Notary Project, in JSON.
    Jws,
    /// One of Notary Project, in CBOR.
    Cose,
    /// One of Sigstore, in a bundle that refers to the manifest.
    Bundle,
    /// One of Sigstore in its older layout, under the tag `sha256-….sig`.
    SimpleSigning,
}

impl EnvelopeName {
    pub(in crate::step) const fn format(self) -> SignatureFormat {
        match self {
            Self::Jws | Self::Cose => SignatureFormat::Notation,
            Self::Bundle | Self::SimpleSigning => SignatureFormat::Cosign,
        }
    }

    pub(in crate::step) const fn word(self) -> &'static str {
        match self {
            Self::Jws => "jws",
            Self::Cose => "cose",
            Self::Bundle => "bundle",
            Self::SimpleSigning => "simple_signing",
        }
    }
}
