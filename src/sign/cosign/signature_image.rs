use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Refusal, SimpleSigning};
use crate::oci::{Descriptor, Digest, ImageManifest, Manifest, ManifestError, Tag, media_type};

/// The image under the tag `sha256-….sig` that holds the signatures of a manifest in cosign's older layout: a layer each.
#[derive(Debug, Clone, Default)]
pub struct SignatureImage {
    layers: Vec<Descriptor>,
}

/// One of them, not looked at yet.
#[derive(Debug, Clone)]
pub struct TaggedSignature {
    /// What was signed, a blob.
    pub payload: Descriptor,
    /// The signature.
    pub signature: Vec<u8>,
    /// What a timestamp service answered, DER.
    pub timestamp: Option<Vec<u8>>,
}

/// How a timestamp stands in an annotation.
#[derive(Serialize, Deserialize)]
struct SignedTimestamp {
    #[serde(rename = "SignedRFC3161Timestamp")]
    response: String,
}

/// Where a layer's signature stands.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// Where its timestamp stands.
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
/// How many signatures of one manifest are looked at.
const MOST: usize = 1000;

impl SignatureImage {
    /// The tag that stands for the signatures of `subject`; nothing where its digest is too long for one.
    pub fn tag(subject: &Digest) -> Option<Tag> {
        format!("{}-{}.sig", subject.algorithm().name(), subject.hex()).parse().ok()
    }

    /// Reads what is under the tag.
    pub fn read(manifest: &Manifest) -> Result<Self, Refusal> {
        let image = manifest.as_image().ok_or_else(|| Refusal::bad("what is under the tag is no image"))?;
        Ok(Self { layers: image.layers.clone() })
    }

    /// Its signatures, each whole or what is wrong with it.
    pub fn signatures(&self) -> impl Iterator<Item = (Digest, Result<TaggedSignature, Refusal>)> {
        self.layers.iter().take(MOST).map(|layer| {
            let signature = match layer.annotations.get(SIGNATURE) {
                _ if layer.media_type != SimpleSigning::MEDIA_TYPE => Err(Refusal::bad(format!(
                    "its layer is `{}`, not `{}`",
                    layer.media_type,
                    SimpleSigning::MEDIA_TYPE
                ))),
                None => Err(Refusal::bad(format!("its layer has no annotation `{SIGNATURE}`"))),
                Some(signature) => read(layer, signature),
            };
            (layer.digest.clone(), signature)
        })
    }

    /// The same with one signature more.
    #[must_use]
    pub fn with(mut self, payload: &[u8], signature: &[u8], timestamp: Option<&[u8]>) -> Self {
        let mut layer = Descriptor::of(SimpleSigning::MEDIA_TYPE, payload);
        layer.annotations.insert(SIGNATURE.to_owned(), STANDARD.encode(signature));
        if let Some(timestamp) = timestamp {
            let timestamp = json!(SignedTimestamp { response: STANDARD.encode(timestamp) });
            layer.annotations.insert(TIMESTAMP.to_owned(), timestamp.to_string());
        }
        self.layers.push(layer);
        self
    }

    /// The same without those with these payloads and signatures.
    #[must_use]
    pub fn without(mut self, gone: &[TaggedSignature]) -> Self {
        let is_gone = |layer: &Descriptor| {
            let signature = layer.annotations.get(SIGNATURE);
            gone.iter().any(|gone| {
                gone.payload.digest == layer.digest
                    && signature.is_some_and(|text| *text == STANDARD.encode(&gone.signature))
            })
        };
        self.layers.retain(|layer| !is_gone(layer));
        self
    }

    /// The manifest with its config, both as they are stored. No time is in them.
    pub fn write(&self) -> Result<(Manifest, Vec<u8>), ManifestError> {
        let ids: Vec<_> = self.layers.iter().map(|layer| layer.digest.to_string()).collect();
        let history: Vec<_> = self.layers.iter().map(|_| json!({ "created": EPOCH })).collect();
        let config = json!({
            "architecture": "",
            "created": EPOCH,
            "history": history,
            "os": "",
            "rootfs": { "type": "layers", "diff_ids": ids },
            "config": {},
        });
        let config = config.to_string().into_bytes();
        let mut manifest = ImageManifest::new(Descriptor::of(media_type::IMAGE_CONFIG, &config));
        manifest.layers.clone_from(&self.layers);
        Ok((Manifest::from_image(manifest)?, config))
    }
}

/// The signature of that layer, with its timestamp.
fn read(layer: &Descriptor, signature: &str) -> Result<TaggedSignature, Refusal> {
    let decode =
        |text: &str, what: &str| STANDARD.decode(text).map_err(|_| Refusal::bad(format!("its {what} is not base64")));
    let timestamp = match layer.annotations.get(TIMESTAMP) {
        None => None,
        Some(text) => {
            let read: SignedTimestamp = serde_json::from_str(text)
                .map_err(|_| Refusal::bad(format!("its annotation `{TIMESTAMP}` is no timestamp")))?;
            Some(decode(&read.response, "timestamp")?)
        }
    };
    Ok(TaggedSignature { payload: layer.clone(), signature: decode(signature, "signature")?, timestamp })
}

/// Go's zero time.
const EPOCH: &str = "0001-01-01T00:00:00Z";
