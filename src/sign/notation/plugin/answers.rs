use std::collections::{BTreeMap, HashMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, de};

/// What a plugin says of itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The versions of the protocol that it speaks.
    pub supported_contract_versions: Vec<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
}

/// What a plugin can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// It signs bytes.
    Signature,
    /// It makes whole envelopes.
    Envelope,
    /// It says whether a signer is trusted.
    TrustedIdentity,
    /// It says whether certificates were revoked.
    Revocation,
}

impl Capability {
    /// Its name in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signature => "SIGNATURE_GENERATOR.RAW",
            Self::Envelope => "SIGNATURE_GENERATOR.ENVELOPE",
            Self::TrustedIdentity => "SIGNATURE_VERIFIER.TRUSTED_IDENTITY",
            Self::Revocation => "SIGNATURE_VERIFIER.REVOCATION_CHECK",
        }
    }
}

impl Metadata {
    /// Whether it can do that.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.iter().any(|name| name == capability.name())
    }
}

/// What kind of key it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// The key, as it was asked for.
    pub key_id: String,
    /// Such as `EC-256`.
    pub key_spec: String,
}

/// A signature.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generated {
    /// The key, as it was asked for.
    pub key_id: String,
    /// Its bytes.
    #[serde(deserialize_with = "bytes")]
    pub signature: Vec<u8>,
    /// Such as `ECDSA-SHA-256`.
    pub signing_algorithm: String,
    /// DER, the leaf first.
    #[serde(deserialize_with = "list_of_bytes")]
    pub certificate_chain: Vec<Vec<u8>>,
}

/// An envelope.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedEnvelope {
    /// Its bytes.
    #[serde(deserialize_with = "bytes")]
    pub signature_envelope: Vec<u8>,
    /// Its media type.
    pub signature_envelope_type: String,
    /// For the manifest.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// What a plugin thinks of a signature.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginVerdict {
    /// By what it was asked to look at.
    pub verification_results: HashMap<String, VerificationResult>,
    /// The attributes that it has understood.
    #[serde(default)]
    pub processed_attributes: Vec<serde_json::Value>,
}

/// One of its answers.
#[derive(Debug, Clone, Deserialize)]
pub struct VerificationResult {
    /// Whether it agrees.
    pub success: bool,
    /// Why not.
    #[serde(default)]
    pub reason: String,
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(|_| de::Error::custom("it is not base64"))
}

fn list_of_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<u8>>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let decode = |text: String| STANDARD.decode(text).map_err(|_| de::Error::custom("it is not base64"));
    texts.into_iter().map(decode).collect()
}
