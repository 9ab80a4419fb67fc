use std::collections::BTreeMap;

use globset::GlobMatcher;

use crate::oci::Manifest;

/// Which referrers go along with a copy.
#[derive(Debug, Clone, Default)]
pub struct ReferrerFilter {
    /// What is about the copied manifests themselves goes along if one of these holds for it; without any, all of it.
    /// What is about something that goes along as a referrer does so too.
    pub include: Vec<ReferrerMatch>,
    /// What one of these holds for stays behind on every level, and with it what is about it.
    pub exclude: Vec<ReferrerMatch>,
    /// How many levels go along; all of them by default.
    pub depth: Option<usize>,
}

/// What a referrer may be like: all that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct ReferrerMatch {
    /// Its artifact type.
    pub artifact_type: Option<GlobMatcher>,
    /// Annotations that it has, among others.
    pub annotations: BTreeMap<String, String>,
}

impl ReferrerFilter {
    /// Whether a referrer on that level, from 1, goes along, if its subject does. It is asked of the manifest itself: what
    /// lists of referrers say of it is not always so.
    pub(super) fn takes(&self, manifest: &Manifest, level: usize) -> bool {
        let is_included = level > 1 || self.include.is_empty() || self.include.iter().any(|it| it.suits(manifest));
        is_included && self.reaches(level) && !self.exclude.iter().any(|it| it.suits(manifest))
    }

    /// Whether any referrer on that level goes along.
    pub(super) fn reaches(&self, level: usize) -> bool {
        self.depth.is_none_or(|depth| level <= depth)
    }
}

impl ReferrerMatch {
    fn suits(&self, manifest: &Manifest) -> bool {
        let artifact_type = manifest.artifact_type().unwrap_or_default();
        let annotations = manifest.annotations();
        self.artifact_type.as_ref().is_none_or(|glob| glob.is_match(artifact_type))
            && self.annotations.iter().all(|(key, value)| annotations.get(key) == Some(value))
    }
}
