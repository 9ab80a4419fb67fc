use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Descriptor, descriptor::null_is_empty, media_type};

/// An image manifest: a config, layers, and perhaps a subject. Artifacts are written in this form too.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#image-manifest-property-descriptions>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u8,
    /// This manifest's own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The type of the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration; [`Descriptor::empty`] where there is none.
    pub config: Descriptor,
    /// The content, in order.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free text about the artifact.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl ImageManifest {
    /// A manifest of the OCI media type with nothing in it yet.
    pub fn new(config: Descriptor) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::IMAGE_MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers: Vec::new(),
            subject: None,
            annotations: BTreeMap::new(),
        }
    }
}
