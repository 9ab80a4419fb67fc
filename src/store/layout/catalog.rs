//! What an image layout holds: its manifests, from `index.json` and from the indexes that it lists. Everything here blocks.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{folder::Folder, index_file::IndexFile};
use crate::{
    oci::{Descriptor, Digest, Manifest, Tag, Target},
    store::{StoreError, content, needs},
};

/// The manifests of one layout.
#[derive(Debug)]
pub(super) struct Catalog {
    folder: Folder,
    /// The layout's name, for errors.
    name: String,
    /// What was read once: content under a digest does not change.
    known: Mutex<HashMap<Digest, Arc<Known>>>,
}

/// What of a manifest is asked again and again.
#[derive(Debug)]
struct Known {
    referrer: Descriptor,
    subject: Option<Digest>,
    children: Vec<Descriptor>,
}

impl Catalog {
    pub(super) fn new(folder: Folder, name: String) -> Self {
        Self { folder, name, known: Mutex::default() }
    }

    pub(super) const fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        let index = self.index()?;
        let found = match target {
            Target::Tag(tag) => index.tagged(tag).cloned(),
            Target::Digest(digest) => match index.manifests().find(|entry| entry.digest == *digest) {
                Some(entry) => Some(entry.clone()),
                None => {
                    self.reached(&index)?.iter().map(|known| &known.referrer).find(|it| it.digest == *digest).cloned()
                }
            },
        };
        match found {
            Some(found) if self.has(&found)? => Ok(Some(found.plain())),
            _ => Ok(None),
        }
    }

    pub(super) fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.resolve(target)?.map_or(Ok(None), |descriptor| self.read(&descriptor))
    }

    pub(super) fn entries(&self) -> Result<Vec<Descriptor>, StoreError> {
        Ok(self.index()?.manifests().cloned().collect())
    }

    pub(super) fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        Ok(self.index()?.tags())
    }

    pub(super) fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let mut reached = self.reached(&self.index()?)?;
        reached.retain(|known| known.subject.as_ref() == Some(subject));
        let mut referrers: Vec<_> = reached.iter().map(|known| known.referrer.clone()).collect();
        referrers.sort_by(|one, other| one.digest.cmp(&other.digest));
        Ok(referrers)
    }

    pub(super) fn subjects(&self) -> Result<HashSet<Digest>, StoreError> {
        Ok(self.reached(&self.index()?)?.iter().filter_map(|known| known.subject.clone()).collect())
    }

    /// Whether the content is there. A file of another size was left by something else: it does not count.
    pub(super) fn has(&self, content: &Descriptor) -> Result<bool, StoreError> {
        let file = self.folder.open(&self.folder.blob(&content.digest))?;
        Ok(file.is_some_and(|(_, size)| size == content.size))
    }

    pub(super) fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        for needed in needs::blobs(manifest).chain(needs::manifests(manifest)) {
            if !self.has(needed)? {
                return Err(self.missing(&needed.digest));
            }
        }
        self.folder.create()?;
        let _lock = self.folder.lock()?;
        let descriptor = manifest.descriptor();
        // Content that was damaged is written again, so that a manifest that was pushed can be read.
        if !matches!(self.bytes(&descriptor), Ok(Some(_))) {
            self.folder.write_blob(manifest.digest(), manifest.bytes())?;
        }
        self.change(|index| index.put(manifest, tag)).map(drop)
    }

    pub(super) fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        if self.index()?.tagged(tag).is_none() {
            return Ok(false);
        }
        let _lock = self.folder.lock()?;
        self.change(|index| index.untag(tag))
    }

    pub(super) fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        if self.resolve(&Target::Digest(digest.clone()))?.is_none() {
            return Ok(false);
        }
        let _lock = self.folder.lock()?;
        let was_listed = self.change(|index| index.remove(digest))?;
        self.known().remove(digest);
        Ok(self.folder.remove(digest)? || was_listed)
    }

    pub(super) fn missing(&self, digest: &Digest) -> StoreError {
        StoreError::Missing { digest: digest.clone(), repository: self.name.clone() }
    }

    fn index(&self) -> Result<IndexFile, StoreError> {
        self.folder.check_version()?;
        let path = self.folder.index();
        match self.folder.read(&path, IndexFile::MAX_SIZE)? {
            Some(bytes) => IndexFile::parse(&path, &bytes),
            None => Ok(IndexFile::default()),
        }
    }

    /// Changes `index.json`, under the lock. `false`: there was nothing to change.
    fn change(&self, change: impl FnOnce(&mut IndexFile) -> bool) -> Result<bool, StoreError> {
        let mut index = self.index()?;
        let changed = change(&mut index);
        if changed {
            self.folder.write(&self.folder.index(), &index.to_bytes()?)?;
        }
        Ok(changed)
    }

    fn bytes(&self, descriptor: &Descriptor) -> Result<Option<Bytes>, StoreError> {
        let Some(bytes) = self.folder.read(&self.folder.blob(&descriptor.digest), Manifest::MAX_SIZE)? else {
            return Ok(None);
        };
        content::check(descriptor, &bytes)?;
        Ok(Some(bytes.into()))
    }

    fn read(&self, descriptor: &Descriptor) -> Result<Option<Manifest>, StoreError> {
        let Some(bytes) = self.bytes(descriptor)? else {
            return Ok(None);
        };
        Ok(Some(Manifest::parse_as(&descriptor.media_type, descriptor.digest.clone(), bytes)?))
    }

    /// Every manifest that is there and that `index.json` leads to, once each.
    fn reached(&self, index: &IndexFile) -> Result<Vec<Arc<Known>>, StoreError> {
        let mut seen = HashSet::new();
        let mut reached = Vec::new();
        let mut waiting: VecDeque<Descriptor> = index.manifests().cloned().collect();
        while let Some(descriptor) = waiting.pop_front() {
            if !seen.insert(descriptor.digest.clone()) {
                continue;
            }
            if let Some(known) = self.look_at(&descriptor)? {
                waiting.extend(known.children.iter().cloned());
                reached.push(known);
            }
        }
        Ok(reached)
    }

    fn look_at(&self, descriptor: &Descriptor) -> Result<Option<Arc<Known>>, StoreError> {
        // It may be gone though it is known: other processes delete too.
        if !self.has(descriptor)? {
            return Ok(None);
        }
        if let Some(known) = self.known().get(&descriptor.digest) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(manifest) = self.read(descriptor)? else {
            return Ok(None);
        };
        let known = Arc::new(Known {
            referrer: manifest.referrer_descriptor(),
            subject: manifest.subject().map(|subject| subject.digest.clone()),
            children: needs::manifests(&manifest).cloned().collect(),
        });
        self.known().insert(descriptor.digest.clone(), Arc::clone(&known));
        Ok(Some(known))
    }

    /// Every change to it is whole, so that a panic elsewhere does not spoil it.
    fn known(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
