use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;

use super::{Descriptor, Digest, ImageManifest, Index, ManifestError, media_type};

/// A manifest or an index together with the bytes that it came in.
///
/// What was fetched is what is pushed, to the byte; members that consign does not know are in the bytes.
#[derive(Debug, Clone)]
pub struct Manifest {
    media_type: String,
    digest: Digest,
    bytes: Bytes,
    content: Content,
}

/// What a manifest says, read once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Content {
    /// An OCI image manifest, a Docker image manifest, or the dropped artifact manifest (its `blobs` as layers).
    Image(Box<ImageManifest>),
    /// An OCI image index or a Docker manifest list.
    Index(Box<Index>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactManifest {
    artifact_type: Option<String>,
    #[serde(default)]
    blobs: Vec<Descriptor>,
    subject: Option<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MediaTypeOnly {
    media_type: Option<String>,
}

impl Manifest {
    /// The size that a client must expect, and the largest that consign reads or writes: 4 MiB.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests>
    pub const MAX_SIZE: u64 = 4 * 1024 * 1024;

    /// Reads `bytes` as a manifest of the type that came with them. The digest is computed, SHA-256.
    pub fn parse(media_type: &str, bytes: Bytes) -> Result<Self, ManifestError> {
        let digest = Digest::sha256(&bytes);
        Self::parse_as(media_type, digest, bytes)
    }

    /// As [`Manifest::parse`], for bytes whose digest was verified already.
    pub fn parse_as(media_type: &str, digest: Digest, bytes: Bytes) -> Result<Self, ManifestError> {
        if bytes.len() as u64 > Self::MAX_SIZE {
            return Err(ManifestError::TooLarge { size: bytes.len() as u64 });
        }
        let media_type = media_type::essence(media_type);
        let fail = |source| ManifestError::Json { digest: digest.clone(), media_type: media_type.clone(), source };
        let inside: MediaTypeOnly = serde_json::from_slice(&bytes).map_err(fail)?;
        if let Some(inside) = inside.media_type.filter(|inside| media_type::essence(inside) != media_type) {
            // Two readers that believe different sides would see different artifacts under one digest.
            return Err(ManifestError::Disagreement { digest, inside, outside: media_type });
        }
        let content = match media_type.as_str() {
            media_type::IMAGE_MANIFEST | media_type::DOCKER_MANIFEST => {
                Content::Image(Box::new(serde_json::from_slice(&bytes).map_err(fail)?))
            }
            media_type::IMAGE_INDEX | media_type::DOCKER_LIST => {
                Content::Index(Box::new(serde_json::from_slice(&bytes).map_err(fail)?))
            }
            media_type::ARTIFACT_MANIFEST => {
                Content::Image(Box::new(serde_json::from_slice::<ArtifactManifest>(&bytes).map_err(fail)?.into()))
            }
            _ => return Err(ManifestError::MediaType { digest, media_type }),
        };
        Ok(Self { media_type, digest, bytes, content })
    }

    /// The manifest that these members make: compact JSON, no newline, as oras writes it.
    pub fn from_image(manifest: ImageManifest) -> Result<Self, ManifestError> {
        let media_type = manifest.media_type.clone().unwrap_or_else(|| media_type::IMAGE_MANIFEST.to_owned());
        let bytes = to_bytes(&manifest, &media_type)?;
        Ok(Self { media_type, digest: Digest::sha256(&bytes), bytes, content: Content::Image(Box::new(manifest)) })
    }

    /// As [`Manifest::from_image`], for an index.
    pub fn from_index(index: Index) -> Result<Self, ManifestError> {
        let media_type = index.media_type.clone().unwrap_or_else(|| media_type::IMAGE_INDEX.to_owned());
        let bytes = to_bytes(&index, &media_type)?;
        Ok(Self { media_type, digest: Digest::sha256(&bytes), bytes, content: Content::Index(Box::new(index)) })
    }

    /// The media type, without parameters.
    pub fn media_type(&self) -> &str {
        &self.media_type
    }

    /// The digest of the bytes.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The bytes, as they came.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What the bytes say.
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// Media type, digest and size.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest.clone(), self.bytes.len() as u64)
    }

    /// The entry that a referrers index has for this manifest: with artifact type and annotations.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers>
    pub fn referrer_descriptor(&self) -> Descriptor {
        Descriptor {
            artifact_type: self.artifact_type().map(str::to_owned),
            annotations: self.annotations().clone(),
            ..self.descriptor()
        }
    }

    /// The manifest that this one is about.
    pub const fn subject(&self) -> Option<&Descriptor> {
        match &self.content {
            Content::Image(manifest) => manifest.subject.as_ref(),
            Content::Index(index) => index.subject.as_ref(),
        }
    }

    /// The artifact type: the member of that name, otherwise the media type of the config.
    pub fn artifact_type(&self) -> Option<&str> {
        match &self.content {
            Content::Image(manifest) => Some(manifest.artifact_type.as_deref().unwrap_or(&manifest.config.media_type)),
            Content::Index(index) => index.artifact_type.as_deref(),
        }
    }

    /// The annotations of the manifest itself.
    pub const fn annotations(&self) -> &BTreeMap<String, String> {
        match &self.content {
            Content::Image(manifest) => &manifest.annotations,
            Content::Index(index) => &index.annotations,
        }
    }

    /// The manifests that an index lists.
    pub fn manifests(&self) -> &[Descriptor] {
        match &self.content {
            Content::Image(_) => &[],
            Content::Index(index) => &index.manifests,
        }
    }

    /// The blobs that an image manifest needs: its config (absent in an artifact manifest) and its layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        let (config, layers): (Option<&Descriptor>, &[Descriptor]) = match &self.content {
            Content::Image(manifest) if self.media_type == media_type::ARTIFACT_MANIFEST => (None, &manifest.layers),
            Content::Image(manifest) => (Some(&manifest.config), &manifest.layers),
            Content::Index(_) => (None, &[]),
        };
        config.into_iter().chain(layers)
    }

    /// The image manifest, where it is one.
    pub const fn as_image(&self) -> Option<&ImageManifest> {
        match &self.content {
            Content::Image(manifest) => Some(manifest),
            Content::Index(_) => None,
        }
    }
}

impl From<ArtifactManifest> for ImageManifest {
    fn from(manifest: ArtifactManifest) -> Self {
        Self {
            media_type: Some(media_type::ARTIFACT_MANIFEST.to_owned()),
            artifact_type: manifest.artifact_type,
            layers: manifest.blobs,
            subject: manifest.subject,
            annotations: manifest.annotations,
            ..Self::new(Descriptor::empty())
        }
    }
}

fn to_bytes<T: serde::Serialize>(value: &T, media_type: &str) -> Result<Bytes, ManifestError> {
    match serde_json::to_vec(value) {
        Ok(bytes) if bytes.len() as u64 > Manifest::MAX_SIZE => {
            Err(ManifestError::TooLarge { size: bytes.len() as u64 })
        }
        Ok(bytes) => Ok(bytes.into()),
        Err(source) => {
            Err(ManifestError::Json { digest: Digest::sha256(b""), media_type: media_type.to_owned(), source })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_the_order_of_oras() {
        let manifest = Manifest::from_image(ImageManifest {
            artifact_type: Some("sbom/example".to_owned()),
            layers: vec![Descriptor::empty()],
            subject: Some(Descriptor::of(media_type::IMAGE_MANIFEST, b"x")),
            annotations: [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into(),
            ..ImageManifest::new(Descriptor::empty())
        })
        .unwrap();
        let text = std::str::from_utf8(manifest.bytes()).unwrap();
        let keys = [
            "schemaVersion",
            "mediaType",
            "artifactType",
            "config",
            "layers",
            "subject",
            "annotations\":{\"a\":\"1\",\"b",
        ];
        let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\"{key}\"")).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
        assert_eq!(
            Manifest::parse(media_type::IMAGE_MANIFEST, manifest.bytes().clone()).unwrap().digest(),
            manifest.digest()
        );
    }

    #[test]
    fn the_dropped_artifact_manifest_is_read() {
        let text = format!(
            r#"{{"mediaType":"{}","artifactType":"a/b","blobs":[{{"mediaType":"c/d","digest":"{}","size":1}}]}}"#,
            media_type::ARTIFACT_MANIFEST,
            Digest::sha256(b"x")
        );
        let manifest = Manifest::parse(media_type::ARTIFACT_MANIFEST, text.into()).unwrap();
        assert_eq!(manifest.artifact_type(), Some("a/b"));
        assert_eq!(manifest.blobs().count(), 1);
    }

    #[test]
    fn a_manifest_that_lies_about_its_type_is_refused() {
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#, media_type::IMAGE_INDEX);
        assert!(matches!(
            Manifest::parse(media_type::IMAGE_MANIFEST, text.into()),
            Err(ManifestError::Disagreement { .. })
        ));
        assert!(matches!(Manifest::parse("text/html", "{}".into()), Err(ManifestError::MediaType { .. })));
        assert!(matches!(Manifest::parse(media_type::IMAGE_INDEX, "<html>".into()), Err(ManifestError::Json { .. })));
    }
}
