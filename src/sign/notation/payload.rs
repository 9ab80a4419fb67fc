use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EnvelopeError;
use crate::oci::{Descriptor, Digest};

/// What is signed: which artifact, and what the signer says of it.
///
/// <https://github.com/notaryproject/specifications/blob/v1.1.0/specs/signature-specification.md#payload>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// The artifact.
    pub target_artifact: TargetArtifact,
}

/// The artifact, by its descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetArtifact {
    /// Of the manifest.
    pub media_type: String,
    /// Of the manifest.
    pub digest: String,
    /// Of the manifest, in bytes.
    pub size: u64,
    /// What the signer says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Payload {
    /// The media type of a payload.
    pub const MEDIA_TYPE: &'static str = "application/vnd.cncf.notary.payload.v1+json";
    /// What keys of annotations must not begin with.
    pub const RESERVED: &'static str = "io.cncf.notary";

    /// The payload about `subject`.
    pub fn new(subject: &Descriptor, annotations: &BTreeMap<String, String>) -> Self {
        Self {
            target_artifact: TargetArtifact {
                media_type: subject.media_type.clone(),
                digest: subject.digest.to_string(),
                size: subject.size,
                annotations: annotations.clone(),
            },
        }
    }

    /// Reads the bytes that were signed.
    pub fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        serde_json::from_slice(bytes).map_err(|error| EnvelopeError::Payload { message: error.to_string() })
    }

    /// The bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Text, numbers and maps with text as keys can always be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl TargetArtifact {
    /// Whether it is exactly that manifest.
    pub fn is(&self, subject: &Descriptor) -> bool {
        self.media_type == subject.media_type
            && self.digest.parse::<Digest>().is_ok_and(|digest| digest == subject.digest)
            && self.size == subject.size
    }
}
