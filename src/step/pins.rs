use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Mutex as AsyncMutex;

use crate::{
    oci::{Descriptor, Manifest, Repository, Tag, Target},
    store::{Store, StoreError},
};

/// Where tags point, for the whole run: a tag that the plan only reads is resolved at first use and stays there,
/// whatever others do meanwhile; a tag that the plan writes points where it was written.
#[derive(Debug, Default)]
pub struct Pins {
    pins: Mutex<HashMap<Repository, HashMap<Tag, Pin>>>,
}

/// Locked while the registry is asked, so that several steps ask once. `None` inside: not asked yet.
type Pin = Arc<AsyncMutex<Option<Descriptor>>>;

impl Pins {
    /// Where `tag` points. Absence is not pinned: the tag may come.
    pub async fn resolve(&self, store: &dyn Store, tag: &Tag) -> Result<Option<Descriptor>, StoreError> {
        let pin = self.pin(store.repository(), tag);
        let mut pinned = pin.lock().await;
        if pinned.is_none() {
            *pinned = store.resolve(&Target::Tag(tag.clone())).await?;
        }
        Ok(pinned.clone())
    }

    /// The manifest that `tag` points to: in one request where the tag was not resolved before.
    pub async fn manifest(&self, store: &dyn Store, tag: &Tag) -> Result<Option<Manifest>, StoreError> {
        let pin = self.pin(store.repository(), tag);
        let mut pinned = pin.lock().await;
        let target = match &*pinned {
            Some(manifest) => Target::Digest(manifest.digest.clone()),
            None => Target::Tag(tag.clone()),
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

    fn pin(&self, repository: &Repository, tag: &Tag) -> Pin {
        let mut pins = self.pins.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pins.entry(repository.identity()).or_default().entry(tag.clone()).or_default())
    }
}
