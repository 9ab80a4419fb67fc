//! What an image layout holds: its manifests, from `index.json` and from the indexes that it lists. Everything here blocks.
//!
//! `index.json` is read again whenever it is another file than the one that was last read or written.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::{
    change::Change,
    contents::{Contents, Known, Reached},
    folder::Folder,
    index_file::IndexFile,
    stamp::Stamp,
};
use crate::{
    oci::{Descriptor, Digest, Manifest, Tag, Target},
    store::{Listed, StoreError, content, needs},
};

/// The manifests of one layout.
#[derive(Debug)]
pub(super) struct Catalog {
    folder: Folder,
    /// The layout's name, for errors.
    name: String,
    /// What was read once: content under a digest does not change.
    known: Mutex<HashMap<Digest, Arc<Known>>>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The files that `contents` is about: as they are, and as they are about to be.
    stamps: [Option<Stamp>; 2],
    contents: Contents,
}

impl Catalog {
    pub(super) fn new(folder: Folder, name: String) -> Self {
        Self { folder, name, known: Mutex::default(), seen: Mutex::default() }
    }

    pub(super) const fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        let found = {
            let mut seen = self.seen()?;
            match target {
                Target::Tag(tag) => seen.contents.tagged(tag).map(Descriptor::plain),
                Target::Digest(digest) => match seen.contents.listed(digest) {
                    Some(listed) => Some(listed.plain()),
                    None => self.reached(&mut seen)?.all.get(digest).map(|known| known.referrer.plain()),
                },
            }
        };
        match found {
            Some(found) if self.has(&found)? => Ok(Some(found)),
            _ => Ok(None),
        }
    }

    pub(super) fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.resolve(target)?.map_or(Ok(None), |descriptor| self.read(&descriptor))
    }

    pub(super) fn entries(&self) -> Result<Vec<Descriptor>, StoreError> {
        Ok(self.index()?.manifests().map(|entry| Descriptor::clone(entry)).collect())
    }

    pub(super) fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        Ok(self.seen()?.contents.tags().cloned().collect())
    }

    pub(super) fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let known: Vec<_> = self.reached(&mut *self.seen()?)?.referrers(subject).cloned().collect();
        let look = self.folder.look();
        let mut referrers = Vec::with_capacity(known.len());
        for known in known {
            // It may be gone though it is known: other processes delete too.
            if look.size(&known.referrer.digest)? == Some(known.referrer.size) {
                referrers.push(known.referrer.clone());
            }
        }
        Ok(referrers)
    }

    pub(super) fn subjects(&self) -> Result<HashSet<Digest>, StoreError> {
        Ok(self.reached(&mut *self.seen()?)?.subjects().cloned().collect())
    }

    /// Every manifest that the index leads to, sorted by digest. What no longer can be reached is nobody's.
    pub(super) fn listing(&self) -> Result<Vec<Listed>, StoreError> {
        let mut seen = self.seen()?;
        let mut listing: BTreeMap<_, _> =
            self.reached(&mut seen)?.all.keys().map(|digest| (digest.clone(), Listed::new(digest.clone()))).collect();
        for tag in seen.contents.tags() {
            let named = seen.contents.tagged(tag).and_then(|named| listing.get_mut(&named.digest));
            if let Some(listed) = named {
                listed.tags.insert(tag.clone());
            }
        }
        Ok(listing.into_values().collect())
    }

    /// Whether the content is there. A file of another size was left by something else: it does not count.
    pub(super) fn has(&self, content: &Descriptor) -> Result<bool, StoreError> {
        Ok(self.folder.size(&content.digest)? == Some(content.size))
    }

    /// Brings the bytes of a manifest to the disk, where all that it needs is there. Nothing leads to it yet.
    pub(super) fn prepare(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.check_needs(manifest)?;
        self.folder.create()?;
        // Content that was damaged is written again, so that a manifest that was pushed can be read.
        if !matches!(self.bytes(&manifest.descriptor()), Ok(Some(_))) {
            self.folder.write_blob(manifest.digest(), manifest.bytes())?;
        }
        Ok(())
    }

    fn check_needs(&self, manifest: &Manifest) -> Result<(), StoreError> {
        for needed in needs::blobs(manifest).chain(needs::manifests(manifest)) {
            if !self.has(needed)? {
                return Err(self.missing(&needed.digest));
            }
        }
        Ok(())
    }

    pub(super) fn missing(&self, digest: &Digest) -> StoreError {
        StoreError::Missing { digest: digest.clone(), repository: self.name.clone() }
    }

    /// Makes the changes in order, with one write for all of them. Each is answered with whether it changed something.
    pub(super) fn change(&self, changes: &[Change]) -> Vec<Result<bool, StoreError>> {
        match self.try_change(changes) {
            Ok(answers) => answers,
            Err(error) => {
                // Whoever comes first hears what it was, all others the same in words.
                let path = self.folder.index();
                let mut answers: Vec<_> = changes.iter().skip(1).map(|_| Err(again(&path, &error))).collect();
                answers.insert(0, Err(error));
                answers
            }
        }
    }

    fn try_change(&self, changes: &[Change]) -> Result<Vec<Result<bool, StoreError>>, StoreError> {
        let _lock = self.folder.lock()?;
        let (mut index, base) = {
            let seen = self.seen()?;
            (seen.contents.index.clone(), seen.stamps[0])
        };
        let answers: Vec<_> = changes.iter().map(|change| self.apply(&mut index, change)).collect();
        let made = || changes.iter().zip(&answers).filter(|(_, answer)| matches!(answer, Ok(true)));
        if made().next().is_none() {
            return Ok(answers);
        }
        self.write(index, base, made().map(|(change, _)| change))?;
        for (change, _) in made() {
            if let Change::Remove { digest, .. } = change {
                self.forget(digest);
                self.folder.remove(digest)?;
            }
        }
        Ok(answers)
    }

    /// Changes `index`, under the lock. `false`: there was nothing to change.
    fn apply(&self, index: &mut IndexFile, change: &Change) -> Result<bool, StoreError> {
        match change {
            Change::Put { manifest, tags, condition, of } => {
                let current = match of {
                    Target::Tag(tag) => index.tagged(tag).map(|found| found.digest.clone()),
                    Target::Digest(digest) => Some(digest.clone()).filter(|digest| index.lists(digest)),
                };
                condition.check(current.as_ref())?;
                // Since it was prepared, somebody may have collected what nothing led to.
                self.check_needs(manifest)?;
                if !self.has(&manifest.descriptor())? {
                    self.folder.write_blob(manifest.digest(), manifest.bytes())?;
                }
                if tags.is_empty() {
                    return Ok(index.put(manifest, None));
                }
                let mut changed = false;
                for tag in tags {
                    changed |= index.put(manifest, Some(tag));
                }
                Ok(changed)
            }
            Change::Untag { tag, condition } => {
                condition.check(index.tagged(tag).map(|found| &found.digest))?;
                Ok(index.untag(tag))
            }
            Change::Remove { digest, condition } => {
                let is_there = self.resolve(&Target::Digest(digest.clone()))?.is_some();
                condition.check(Some(digest).filter(|_| is_there))?;
                index.remove(digest);
                Ok(is_there)
            }
        }
    }

    /// Makes `index` what is on the disk, and the changes that led to it what is known. Under the lock.
    fn write<'a>(
        &self,
        index: IndexFile,
        base: Option<Stamp>,
        changes: impl Iterator<Item = &'a Change>,
    ) -> Result<(), StoreError> {
        let path = self.folder.index();
        let prepared = self.folder.filled(&index.to_bytes()?)?;
        let next = self.folder.stamp_with(&prepared)?;
        // Who looks while the file is being replaced must not take it for somebody else's.
        self.lock_seen().stamps[1] = Some(next);
        Folder::replace(prepared, &path)?;
        let mut seen = self.lock_seen();
        if base.is_none() || seen.stamps[0] != base {
            // Somebody wrote without the lock: what is there now is read when it is next asked for.
            seen.stamps = [None, None];
            return Ok(());
        }
        seen.stamps = [Some(next), None];
        for change in changes {
            match change {
                Change::Put { manifest, tags, .. } => seen.contents.add(manifest, tags),
                Change::Untag { tag, .. } => seen.contents.untag(tag),
                Change::Remove { digest, .. } => seen.contents.remove(digest),
            }
        }
        seen.contents.index = index;
        Ok(())
    }

    /// As [`Catalog::change`] for whatever `index` was made into. Under the lock, which the caller holds.
    pub(super) fn rewrite(&self, index: &IndexFile) -> Result<(), StoreError> {
        let path = self.folder.index();
        Folder::replace(self.folder.filled(&index.to_bytes()?)?, &path)
    }

    /// `index.json` as it is on the disk now.
    pub(super) fn index(&self) -> Result<IndexFile, StoreError> {
        self.folder.check_version()?;
        let path = self.folder.index();
        match self.folder.read(&path, IndexFile::MAX_SIZE)? {
            Some(bytes) => IndexFile::parse(&path, &bytes),
            None => Ok(IndexFile::default()),
        }
    }

    /// What is on the disk, read only where it is not what was last seen.
    fn seen(&self) -> Result<MutexGuard<'_, Seen>, StoreError> {
        let stamp = self.folder.stamp()?;
        let mut seen = self.lock_seen();
        if seen.stamps.contains(&Some(stamp)) {
            return Ok(seen);
        }
        // Taken again: while this waited, somebody may have looked.
        let stamp = self.folder.stamp()?;
        if !seen.stamps.contains(&Some(stamp)) {
            let contents = Contents::new(self.index()?);
            *seen = Seen { stamps: [Some(stamp).filter(|stamp| !stamp.is_fresh()), None], contents };
        }
        Ok(seen)
    }

    /// Every change to it is whole, so that a panic elsewhere does not spoil it.
    fn lock_seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self, descriptor: &Descriptor) -> Result<Option<Bytes>, StoreError> {
        let Some(bytes) = self.folder.read(&self.folder.blob(&descriptor.digest), Manifest::MAX_SIZE)? else {
            return Ok(None);
        };
        content::check(descriptor, &bytes)?;
        Ok(Some(bytes.into()))
    }

    pub(super) fn read(&self, descriptor: &Descriptor) -> Result<Option<Manifest>, StoreError> {
        let Some(bytes) = self.bytes(descriptor)? else {
            return Ok(None);
        };
        Ok(Some(Manifest::parse_as(&descriptor.media_type, descriptor.digest.clone(), bytes)?))
    }

    /// Every manifest that is there and that `index.json` leads to.
    fn reached<'a>(&self, seen: &'a mut Seen) -> Result<&'a Reached, StoreError> {
        seen.contents.reached(|index| {
            let mut reached = Reached::default();
            let mut waiting: VecDeque<Descriptor> = index.manifests().map(|descriptor| descriptor.plain()).collect();
            while let Some(descriptor) = waiting.pop_front() {
                if reached.all.contains_key(&descriptor.digest) {
                    continue;
                }
                match self.look_at(&descriptor)? {
                    Some(known) => {
                        waiting.extend(known.children.iter().cloned());
                        reached.add(known);
                    }
                    None => reached.is_partial = true,
                }
            }
            Ok(reached)
        })
    }

    pub(super) fn look_at(&self, descriptor: &Descriptor) -> Result<Option<Arc<Known>>, StoreError> {
        if !self.has(descriptor)? {
            return Ok(None);
        }
        if let Some(known) = self.known().get(&descriptor.digest) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(manifest) = self.read(descriptor)? else {
            return Ok(None);
        };
        let known = Arc::new(Known::of(&manifest));
        self.known().insert(descriptor.digest.clone(), Arc::clone(&known));
        Ok(Some(known))
    }

    pub(super) fn forget(&self, digest: &Digest) {
        self.known().remove(digest);
    }

    /// Every change to it is whole, so that a panic elsewhere does not spoil it.
    fn known(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Known>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same error for another who waited for the same write.
fn again(path: &Path, error: &StoreError) -> StoreError {
    StoreError::Layout { path: path.to_owned(), message: error.to_string() }
}
