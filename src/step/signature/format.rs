use schemars::JsonSchema;
use serde::Deserialize;

/// Whose signatures they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignatureFormat {
    /// Those of Notary Project, which `notation` makes: X.509 certificates, trust policies.
    Notation,
    /// Those of Sigstore with a key, which `cosign` makes.
    Cosign,
}

impl SignatureFormat {
    /// As plans write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Notation => "notation",
            Self::Cosign => "cosign",
        }
    }
}
