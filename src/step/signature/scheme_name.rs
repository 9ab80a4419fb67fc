use schemars::JsonSchema;
use serde::Deserialize;

use crate::sign::notation::SigningScheme;

/// Who vouches for the time of a signature of Notary Project.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signing-scheme.md>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchemeName {
    /// Nobody but the signer, or a timestamp: the default.
    X509,
    /// The signer, who is an authority that signs for others.
    SigningAuthority,
}

impl SchemeName {
    pub(in crate::step) const fn word(self) -> &'static str {
        match self {
            Self::X509 => "x509",
            Self::SigningAuthority => "signing_authority",
        }
    }

    pub(in crate::step) const fn scheme(self) -> SigningScheme {
        match self {
            Self::X509 => SigningScheme::X509,
            Self::SigningAuthority => SigningScheme::SigningAuthority,
        }
    }
}
