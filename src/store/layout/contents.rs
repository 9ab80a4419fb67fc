//! What a layout holds, as `index.json` and the manifests that it leads to say, arranged for questions. No I/O.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::index_file::IndexFile;
use crate::oci::{Descriptor, Digest, Manifest, Tag};

/// What of a manifest is asked again and again.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) referrer: Descriptor,
    pub(super) subject: Option<Digest>,
    pub(super) children: Vec<Descriptor>,
}

/// A layout as it was when `index` was read or written.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) index: IndexFile,
    tags: BTreeMap<Tag, Arc<Descriptor>>,
    listed: HashMap<Digest, Arc<Descriptor>>,
    /// Found out when it is first needed: every manifest has to be read for it.
    reached: Reached,
    is_explored: bool,
}

/// Every manifest that is there and that `index.json` leads to.
#[derive(Debug, Default)]
pub(super) struct Reached {
    pub(super) all: HashMap<Digest, Arc<Known>>,
    by_subject: HashMap<Digest, BTreeMap<Digest, Arc<Known>>>,
    /// Whether something is listed that is not there. It may come.
    pub(super) is_partial: bool,
}

impl Contents {
    pub(super) fn new(index: IndexFile) -> Self {
        let mut tags = BTreeMap::new();
        for (tag, descriptor) in index.tags() {
            tags.entry(tag).or_insert_with(|| Arc::clone(descriptor));
        }
        let mut listed = HashMap::new();
        for descriptor in index.manifests() {
            listed.entry(descriptor.digest.clone()).or_insert_with(|| Arc::clone(descriptor));
        }
        Self { index, tags, listed, ..Self::default() }
    }

    pub(super) fn tagged(&self, tag: &Tag) -> Option<&Descriptor> {
        self.tags.get(tag).map(Arc::as_ref)
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.tags.keys()
    }

    pub(super) fn listed(&self, digest: &Digest) -> Option<&Descriptor> {
        self.listed.get(digest).map(Arc::as_ref)
    }

    /// Every manifest that is there and that the index leads to: found out by `explore`, unless that is known still.
    pub(super) fn reached<E>(&mut self, explore: impl FnOnce(&IndexFile) -> Result<Reached, E>) -> Result<&Reached, E> {
        if !self.is_explored || self.reached.is_partial {
            self.reached = explore(&self.index)?;
            self.is_explored = true;
        }
        Ok(&self.reached)
    }

    /// Takes note of a manifest that was written.
    pub(super) fn add(&mut self, manifest: &Manifest, tags: &[Tag]) {
        let descriptor = Arc::new(manifest.descriptor());
        for tag in tags {
            self.tags.insert(tag.clone(), Arc::clone(&descriptor));
        }
        let is_new = self.listed.insert(descriptor.digest.clone(), descriptor).is_none();
        if is_new && self.is_explored {
            let known = Known::of(manifest);
            // A child that nothing led to before leads to its own in turn: they are looked up.
            self.is_explored = known.children.iter().all(|child| self.reached.all.contains_key(&child.digest));
            self.reached.add(Arc::new(known));
        }
    }

    pub(super) fn untag(&mut self, tag: &Tag) {
        self.tags.remove(tag);
    }

    /// Takes note that a manifest is gone, with its tags.
    pub(super) fn remove(&mut self, digest: &Digest) {
        self.tags.retain(|_, named| named.digest != *digest);
        self.listed.remove(digest);
        self.is_explored &= self.reached.remove(digest);
    }
}

impl Reached {
    pub(super) fn add(&mut self, known: Arc<Known>) {
        let digest = known.referrer.digest.clone();
        if let Some(subject) = &known.subject {
            self.by_subject.entry(subject.clone()).or_default().insert(digest.clone(), Arc::clone(&known));
        }
        self.all.insert(digest, known);
    }

    /// `false`: what it lists may have been reached through it alone.
    fn remove(&mut self, digest: &Digest) -> bool {
        let Some(known) = self.all.remove(digest) else {
            return true;
        };
        if let Some(subject) = &known.subject
            && let Some(referrers) = self.by_subject.get_mut(subject)
        {
            referrers.remove(digest);
            if referrers.is_empty() {
                self.by_subject.remove(subject);
            }
        }
        known.children.is_empty()
    }

    /// Sorted by digest.
    pub(super) fn referrers(&self, subject: &Digest) -> impl Iterator<Item = &Arc<Known>> {
        self.by_subject.get(subject).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn subjects(&self) -> impl Iterator<Item = &Digest> {
        self.by_subject.keys()
    }
}

impl Known {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            referrer: manifest.referrer_descriptor(),
            subject: manifest.subject().map(|subject| subject.digest.clone()),
            children: crate::store::needs::manifests(manifest).cloned().collect(),
        }
    }
}
