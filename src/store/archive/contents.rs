//! What an archive holds, as far as it was read.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tempfile::TempPath;

use super::{
    stamp::Stamp,
    tar_file::{Extent, TarFile, wrong},
};
use crate::{
    oci::{Digest, Manifest, Repository, Tag, Target},
    store::{MemoryStore, Store, StoreError},
};

/// The manifests, in memory, and where the blobs are.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) manifests: MemoryStore,
    blobs: Mutex<HashMap<Digest, Place>>,
    /// The tags that name several images, and the names of those.
    ambiguous: HashMap<Tag, Vec<String>>,
    stamp: Mutex<Option<Stamp>>,
}

/// All that an archive is to hold at one moment.
pub(super) struct Whole {
    pub(super) contents: Arc<Contents>,
    pub(super) manifests: Vec<Manifest>,
    pub(super) tags: Vec<(Tag, Digest)>,
}

/// Where a blob is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In the archive.
    Inside { archive: Arc<TarFile>, extent: Extent },
    /// Beside it, until it is written.
    Beside { file: Arc<TempPath>, size: u64 },
}

impl Place {
    pub(super) const fn size(&self) -> u64 {
        match self {
            Self::Inside { extent, .. } => extent.size,
            Self::Beside { size, .. } => *size,
        }
    }
}

impl Contents {
    pub(super) fn new(repository: &Repository, stamp: Option<Stamp>) -> Self {
        let manifests = MemoryStore::new(repository.clone());
        Self { manifests, blobs: Mutex::default(), ambiguous: HashMap::new(), stamp: Mutex::new(stamp) }
    }

    pub(super) fn insert(&self, manifest: &Manifest, tag: Option<&Tag>) {
        self.manifests.insert(manifest, tag);
    }

    /// The same, where these tags name several images.
    pub(super) fn with_ambiguous(mut self, ambiguous: HashMap<Tag, Vec<String>>) -> Self {
        self.ambiguous = ambiguous;
        self
    }

    /// Refuses a tag that names several images.
    pub(super) fn check_name(&self, path: &Path, target: &Target) -> Result<(), StoreError> {
        let Target::Tag(tag) = target else { return Ok(()) };
        match self.ambiguous.get(tag) {
            None => Ok(()),
            Some(names) => {
                let message = format!("`{tag}` is the tag of several images in it: {}", names.join(", "));
                Err(wrong(path, format!("{message}; save them in an archive each, or name one by its digest")))
            }
        }
    }

    pub(super) async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        let mut tags = self.manifests.tags().await?;
        tags.extend(self.ambiguous.keys().cloned());
        tags.sort();
        Ok(tags)
    }

    /// What is to be written.
    pub(super) async fn whole(self: &Arc<Self>) -> Result<Whole, StoreError> {
        let mut tags = Vec::new();
        for tag in self.manifests.tags().await? {
            if let Some(named) = self.manifests.resolve(&Target::Tag(tag.clone())).await? {
                tags.push((tag, named.digest));
            }
        }
        Ok(Whole { contents: Arc::clone(self), manifests: self.manifests.manifests(), tags })
    }

    pub(super) fn place(&self, digest: &Digest) -> Option<Place> {
        self.blobs().get(digest).cloned()
    }

    pub(super) fn put(&self, digest: Digest, place: Place) {
        self.blobs().insert(digest, place);
    }

    /// Whether this is what the file at `path` holds.
    pub(super) fn is_of(&self, path: &Path) -> bool {
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) == Stamp::at(path)
    }

    /// The archive was written: what it has is read there from now on.
    pub(super) fn moved_into(&self, archive: &Arc<TarFile>) {
        *self.stamp.lock().unwrap_or_else(PoisonError::into_inner) = Some(archive.stamp());
        let mut blobs = self.blobs();
        for (name, extent) in archive.files() {
            if let Some(digest) = digest_of(name) {
                blobs.insert(digest, Place::Inside { archive: Arc::clone(archive), extent });
            }
        }
    }

    /// Every change to it is whole, so that a panic elsewhere does not spoil it.
    fn blobs(&self) -> MutexGuard<'_, HashMap<Digest, Place>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The digest whose content a file is named after: `blobs/sha256/…`.
pub(super) fn digest_of(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// The file that is named after a digest.
pub(super) fn name_of(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}
