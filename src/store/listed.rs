use std::collections::BTreeSet;

use crate::oci::{Digest, Platform, Tag};

/// A manifest, as a repository that lists its manifests has it: that it is there, and what the manifest itself does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which one.
    pub digest: Digest,
    /// Every tag that names it, also those of the referrers tag schema.
    pub tags: BTreeSet<Tag>,
    /// The media type, where the repository says it.
    pub media_type: Option<String>,
    /// What runs it.
    pub platform: Option<Platform>,
    /// When it came, RFC 3339 as the registry writes it.
    pub created: Option<String>,
    /// When it or its tags changed last, RFC 3339 as the registry writes it.
    pub last_updated: Option<String>,
}

impl Listed {
    /// A manifest of which nothing more is known.
    pub const fn new(digest: Digest) -> Self {
        Self { digest, tags: BTreeSet::new(), media_type: None, platform: None, created: None, last_updated: None }
    }
}
