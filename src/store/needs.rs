//! What must be in a repository before a manifest is, by what the manifest says.

use crate::oci::{Descriptor, Manifest, media_type};

/// The blobs: config, layers, and what an index lists that is no manifest. Foreign layers are not missed.
pub(super) fn blobs(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    let listed = manifest.manifests().iter().filter(|child| !child.is_manifest());
    manifest.blobs().chain(listed).filter(|blob| !media_type::is_foreign(&blob.media_type))
}

/// The manifests that an index lists. A subject is none of these: it may be missing.
pub(super) fn manifests(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    manifest.manifests().iter().filter(|child| child.is_manifest())
}

/// All that a manifest that stays keeps: also foreign layers, where they are there.
pub(super) fn all(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    manifest.blobs().chain(manifest.manifests())
}
