use super::Digest;

/// Why bytes are not a manifest that consign can work with.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not a manifest media type.
    #[error("`{media_type}` is not the media type of a manifest")]
    MediaType {
        /// Of the bytes.
        digest: Digest,
        /// What was claimed.
        media_type: String,
    },
    /// The bytes call themselves something else than the registry did.
    #[error("the manifest says that it is `{inside}`, the registry says `{outside}`")]
    Disagreement {
        /// Of the bytes.
        digest: Digest,
        /// The `mediaType` member.
        inside: String,
        /// The media type that came with the bytes.
        outside: String,
    },
    /// Not JSON, or not of the right shape.
    #[error("`{digest}` is not a manifest of type `{media_type}`: {source}")]
    Json {
        /// Of the bytes.
        digest: Digest,
        /// What was claimed.
        media_type: String,
        /// What serde said.
        source: serde_json::Error,
    },
    /// Larger than [`super::Manifest::MAX_SIZE`].
    #[error("the manifest has {size} bytes; at most {} are read", super::Manifest::MAX_SIZE)]
    TooLarge {
        /// In bytes.
        size: u64,
    },
}

impl ManifestError {
    /// The digest and the claimed media type of bytes that are there and cannot be worked with.
    pub fn of_what(&self) -> Option<(&Digest, &str)> {
        match self {
            Self::MediaType { digest, media_type }
            | Self::Disagreement { digest, outside: media_type, .. }
            | Self::Json { digest, media_type, .. } => Some((digest, media_type)),
            Self::TooLarge { .. } => None,
        }
    }
}
