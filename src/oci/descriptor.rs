use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest, Platform, annotation, media_type};

/// Says what a piece of content is, how long it is, and its address.
///
/// Members stand in the order in which Go's tools write them. Members that consign does not know are kept.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#properties>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The type of the content.
    pub media_type: String,
    /// The address of the content.
    pub digest: Digest,
    /// The length of the content in bytes.
    pub size: u64,
    /// Where else it may be fetched from. consign does not follow these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Free text about the content.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The content itself, base64, where it is short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What the content runs on, for an entry of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The type of the artifact, where the content is a manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What other tools wrote here.
    #[serde(flatten)]
    pub other: BTreeMap<String, serde_json::Value>,
}

impl Descriptor {
    /// A descriptor of content that is already addressed.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            data: None,
            platform: None,
            artifact_type: None,
            other: BTreeMap::new(),
        }
    }

    /// A descriptor of `bytes`, SHA-256.
    pub fn of(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
    }

    /// The descriptor of the two bytes `{}`, with the bytes in it.
    ///
    /// <https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidance-for-an-empty-descriptor>
    pub fn empty() -> Self {
        Self { data: Some("e30=".to_owned()), ..Self::of(media_type::EMPTY, b"{}") }
    }

    /// Media type, digest and size alone: what a `subject` holds.
    pub fn plain(&self) -> Self {
        Self::new(self.media_type.clone(), self.digest.clone(), self.size)
    }

    /// Whether a list of referrers may say that artifact type where the manifest says something else: some programs write
    /// nothing, or the media type of the config, which counts only where there is no artifact type.
    pub fn is_type_doubtful(&self) -> bool {
        self.artifact_type
            .as_deref()
            .is_none_or(|said| said.is_empty() || said == media_type::EMPTY || said.contains("config"))
    }

    /// Whether the content is a manifest.
    pub fn is_manifest(&self) -> bool {
        media_type::is_manifest(&self.media_type)
    }

    /// The file name that the content had, if an annotation tells.
    pub fn title(&self) -> Option<&str> {
        self.annotations.get(annotation::TITLE).map(String::as_str)
    }
}

/// Go writes a nil map as `null`.
pub(super) fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_other_tools_survive() {
        let text = format!(
            r#"{{"mediaType":"a/b","digest":"{}","size":2,"annotations":null,"future":{{"x":1}}}}"#,
            Digest::sha256(b"{}")
        );
        let descriptor: Descriptor = serde_json::from_str(&text).unwrap();
        let again = serde_json::to_string(&descriptor).unwrap();
        assert_eq!(again, text.replace(r#""annotations":null,"#, ""));
    }

    #[test]
    fn the_empty_descriptor_is_the_one_of_the_specification() {
        assert_eq!(
            serde_json::to_string(&Descriptor::empty()).unwrap(),
            r#"{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"data":"e30="}"#
        );
    }
}
