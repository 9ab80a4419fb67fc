use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Mutex as AsyncMutex;

use crate::{
    oci::{Descriptor, Digest, Manifest, Repository, Tag, Target},
    store::{Store, StoreError},
};

/// Where tags point, for the whole run: a tag that the plan only reads is resolved at first use and stays there,
/// whatever others do meanwhile; a tag that the plan writes points where it was written.
#[derive(Debug, Default)]
pub struct Pins {
    pins: Mutex<HashMap<Repository, HashMap<Tag, Pin>>>,
    /// Where tags point whatever the registry says, by the identity of the repository.
    locked: HashMap<(Repository, Tag), Digest>,
}

/// Locked while the registry is asked, so that several steps ask once. `None` inside: not asked yet.
type Pin = Arc<AsyncMutex<Option<Descriptor>>>;

impl Pins {
    /// Pins that know these tags already.
    pub fn locked(tags: impl IntoIterator<Item = (Repository, Tag, Digest)>) -> Self {
        let locked = tags.into_iter().map(|(repository, tag, digest)| ((repository.identity(), tag), digest));
        Self { pins: Mutex::default(), locked: locked.collect() }
    }

    /// Every tag that was resolved and is there, by the identity of its repository.
    pub fn resolved(&self) -> Vec<(Repository, Tag, Digest)> {
        let pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        let all = pins.iter().flat_map(|(repository, tags)| tags.iter().map(move |(tag, pin)| (repository, tag, pin)));
        let resolved = all.filter_map(|(repository, tag, pin)| {
            let pinned = pin.try_lock().ok()?;
            Some((repository.clone(), tag.clone(), pinned.as_ref()?.digest.clone()))
        });
        resolved.collect()
    }

    /// Where `tag` points. Absence is not pinned: the tag may come.
    pub async fn resolve(&self, store: &dyn Store, tag: &Tag) -> Result<Option<Descriptor>, StoreError> {
        let pin = self.pin(store.repository(), tag);
        let mut pinned = pin.lock().await;
        if pinned.is_none() {
            *pinned = match self.lock_of(store.repository(), tag) {
                Some(digest) => Some(locked(store, digest).await?),
                None => store.resolve(&Target::Tag(tag.clone())).await?,
            };
        }
        Ok(pinned.clone())
    }

    /// The manifest that `tag` points to: in one request where the tag was not resolved before.
    pub async fn manifest(&self, store: &dyn Store, tag: &Tag) -> Result<Option<Manifest>, StoreError> {
        let pin = self.pin(store.repository(), tag);
        let mut pinned = pin.lock().await;
        let target = match &*pinned {
            Some(manifest) => Target::Digest(manifest.digest.clone()),
            None => match self.lock_of(store.repository(), tag) {
                Some(digest) => Target::Digest(locked(store, digest).await?.digest),
                None => Target::Tag(tag.clone()),
            },
        };
        let manifest = store.manifest(&target).await?;
        if pinned.is_none() {
            *pinned = manifest.as_ref().map(Manifest::descriptor);
        }
        Ok(manifest)
    }

    /// Says that this run moved `tag`.
    pub async fn set(&self, repository: &Repository, tag: &Tag, manifest: &Descriptor) {
        *self.pin(repository, tag).lock().await = Some(manifest.clone());
    }

    /// Says that this run removed a tag, or with no tag, something of which any tag may have gone.
    pub fn forget(&self, repository: &Repository, tag: Option<&Tag>) {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tags) = pins.get_mut(&repository.identity()) {
            match tag {
                Some(tag) => drop(tags.remove(tag)),
                None => tags.clear(),
            }
        }
    }

    fn lock_of(&self, repository: &Repository, tag: &Tag) -> Option<&Digest> {
        self.locked.get(&(repository.identity(), tag.clone()))
    }

    fn pin(&self, repository: &Repository, tag: &Tag) -> Pin {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pins.entry(repository.identity()).or_default().entry(tag.clone()).or_default())
    }
}

/// The manifest that is locked; that it is gone is an error, not absence.
async fn locked(store: &dyn Store, digest: &Digest) -> Result<Descriptor, StoreError> {
    let found = store.resolve(&Target::Digest(digest.clone())).await?;
    found.ok_or_else(|| StoreError::Missing { digest: digest.clone(), repository: store.repository().to_string() })
}
