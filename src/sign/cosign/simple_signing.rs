use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Refusal, schemes};
use crate::{
    oci::Digest,
    sign::key::{KeyError, PrivateKey, PublicKey},
};

/// What is signed in cosign's older layout.
///
/// <https://github.com/sigstore/cosign/blob/v3.1.1/specs/SIGNATURE_SPEC.md#simple-signing>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimpleSigning {
    critical: Critical,
    #[serde(default)]
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference", default)]
    docker_reference: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    docker_manifest_digest: String,
}

const KIND: &str = "cosign container image signature";

impl SimpleSigning {
    /// What a payload is.
    pub const MEDIA_TYPE: &'static str = "application/vnd.dev.cosign.simplesigning.v1+json";
    /// The largest payload that is read.
    pub const LARGEST: u64 = 1024 * 1024;

    /// Somebody signs the manifest in that repository, and says this besides.
    pub fn new(repository: &str, subject: &Digest, annotations: &BTreeMap<String, String>) -> Self {
        let optional = annotations.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        Self {
            critical: Critical {
                identity: Identity { docker_reference: repository.to_owned() },
                image: Image { docker_manifest_digest: subject.to_string() },
                kind: KIND.to_owned(),
            },
            optional: (!annotations.is_empty()).then_some(optional),
        }
    }

    /// As it is signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Text for keys, and nothing that JSON cannot hold.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The signature of that payload.
    pub fn sign(payload: &[u8], key: &PrivateKey) -> Result<Vec<u8>, KeyError> {
        let kind = key.public().kind();
        key.sign(schemes::signing_scheme(kind).ok_or(KeyError::Scheme { kind })?, payload)
    }

    /// What one of the keys signed, with that key.
    pub fn verify<'a>(
        payload: &[u8],
        signature: &[u8],
        keys: &'a [PublicKey],
    ) -> Result<(Self, &'a PublicKey), Refusal> {
        let signer = keys.iter().find(|key| schemes::verify(key, payload, signature).is_ok());
        // Nothing says whose it would be.
        let signer = signer.ok_or(Refusal::Stranger { hint: None })?;
        let said: Self = serde_json::from_slice(payload)
            .map_err(|error| Refusal::bad(format!("what was signed is no image signature: {error}")))?;
        if said.critical.kind != KIND {
            return Err(Refusal::bad(format!("what was signed is `{}`, not `{KIND}`", said.critical.kind)));
        }
        Ok((said, signer))
    }

    /// Fails unless it is about that manifest.
    pub fn check_subject(&self, subject: &Digest) -> Result<(), Refusal> {
        let about = &self.critical.image.docker_manifest_digest;
        if *about == subject.to_string() { Ok(()) } else { Err(Refusal::Foreign { about: about.clone() }) }
    }

    /// The repository that it was made for. A copy of it elsewhere still says so.
    pub fn made_for(&self) -> &str {
        &self.critical.identity.docker_reference
    }

    /// What it says besides, as far as it is text.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let optional = self.optional.iter().flatten();
        optional.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }
}
