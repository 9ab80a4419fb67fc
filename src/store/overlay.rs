//! A repository that can be written to without its original changing: copy-on-write over any other store.
//!
//! Writes, deletes and moves of tags stay in memory on top. What was deleted is remembered, never asked of the base again.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{ByteStream, Delivery, Listed, MemoryStore, Source, Store, StoreError, needs};
use crate::oci::{Descriptor, Digest, Manifest, Repository, Tag, Target};

/// A store in memory over another one that is only read, or over nothing.
#[derive(Debug)]
pub struct OverlayStore {
    base: Option<Arc<dyn Store>>,
    top: Arc<MemoryStore>,
    hidden: Mutex<Hidden>,
    /// Large blobs that were pushed and not kept, where nobody will read them.
    promised: Option<Mutex<HashSet<Digest>>>,
}

/// What of the base is no longer seen. It stays hidden: what is pushed again is on top.
#[derive(Debug, Default)]
struct Hidden {
    manifests: HashSet<Digest>,
    tags: HashSet<Tag>,
}

/// How many questions to the base are out at a time.
const CONCURRENCY: usize = 16;
/// What is not larger is kept also where large blobs are only promised: configs, and what steps may look into, in bytes.
const SMALL: u64 = 64 * 1024;

impl OverlayStore {
    /// `base` under the name `repository`; without a base, an empty repository.
    pub fn new(base: Option<Arc<dyn Store>>, repository: Repository) -> Self {
        Self::on(base, Arc::new(MemoryStore::new(repository)))
    }

    /// As [`OverlayStore::new`], with writes going to `top`, which has the name: so that blobs are mounted from its siblings.
    pub fn on(base: Option<Arc<dyn Store>>, top: Arc<MemoryStore>) -> Self {
        Self { base, top, hidden: Mutex::default(), promised: None }
    }

    /// The same, for who only wants to know what would be there: of a large blob that is pushed only its digest is kept, and
    /// its content is never asked for.
    #[must_use]
    pub(super) fn promising(self) -> Self {
        Self { promised: Some(Mutex::default()), ..self }
    }

    fn promised(&self) -> Option<MutexGuard<'_, HashSet<Digest>>> {
        self.promised.as_ref().map(|promised| promised.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every change to it is whole, so that a panic elsewhere does not spoil it.
    fn hidden(&self) -> MutexGuard<'_, Hidden> {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The base, where it may be asked for `target`.
    fn base_for(&self, target: &Target) -> Option<&Arc<dyn Store>> {
        let hidden = self.hidden();
        let is_hidden = match target {
            Target::Tag(tag) => hidden.tags.contains(tag),
            Target::Digest(digest) => hidden.manifests.contains(digest),
        };
        self.base.as_ref().filter(|_| !is_hidden)
    }

    fn is_deleted(&self, digest: &Digest) -> bool {
        self.hidden().manifests.contains(digest)
    }

    async fn has_needed(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let missing =
            |digest: &Digest| StoreError::Missing { digest: digest.clone(), repository: self.repository().to_string() };
        for blob in needs::blobs(manifest) {
            if !self.has_blob(blob).await? {
                return Err(missing(&blob.digest));
            }
        }
        for child in needs::manifests(manifest) {
            if self.resolve(&Target::Digest(child.digest.clone())).await?.is_none() {
                return Err(missing(&child.digest));
            }
        }
        Ok(())
    }

    /// The tags of the base that are still seen. A tag went with its manifest, so that each has to be looked at once
    /// something was deleted.
    async fn base_tags(&self) -> Result<Vec<Tag>, StoreError> {
        let Some(base) = &self.base else {
            return Ok(Vec::new());
        };
        let mut tags = base.tags().await?;
        let nothing_deleted = {
            let hidden = self.hidden();
            tags.retain(|tag| !hidden.tags.contains(tag));
            hidden.manifests.is_empty()
        };
        if nothing_deleted {
            return Ok(tags);
        }
        let tags: Vec<_> = stream::iter(tags)
            .map(|tag| async move {
                let resolved = base.resolve(&Target::Tag(tag.clone())).await?;
                Ok::<_, StoreError>((tag, resolved))
            })
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        let mut hidden = self.hidden();
        let mut seen = Vec::new();
        for (tag, resolved) in tags {
            match resolved {
                Some(manifest) if hidden.manifests.contains(&manifest.digest) => {
                    hidden.tags.insert(tag);
                }
                Some(_) => seen.push(tag),
                None => {}
            }
        }
        Ok(seen)
    }
}

#[async_trait]
impl Store for OverlayStore {
    fn repository(&self) -> &Repository {
        self.top.repository()
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        if let Some(found) = self.top.resolve(target).await? {
            return Ok(Some(found));
        }
        let Some(base) = self.base_for(target) else {
            return Ok(None);
        };
        Ok(base.resolve(target).await?.filter(|found| !self.is_deleted(&found.digest)))
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        if let Some(found) = self.top.manifest(target).await? {
            return Ok(Some(found));
        }
        let Some(base) = self.base_for(target) else {
            return Ok(None);
        };
        Ok(base.manifest(target).await?.filter(|found| !self.is_deleted(found.digest())))
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        self.has_needed(manifest).await?;
        if let Some(tag) = tag {
            // Should the tag go from the top, the base's must not come back.
            self.hidden().tags.insert(tag.clone());
        }
        self.top.insert(manifest, tag);
        Ok(())
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        let mut tags = self.base_tags().await?;
        tags.extend(self.top.tags().await?);
        tags.sort();
        tags.dedup();
        Ok(tags)
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let mut referrers = self.top.referrers(subject).await?;
        let above: HashSet<Digest> = referrers.iter().map(|referrer| referrer.digest.clone()).collect();
        if let Some(base) = &self.base {
            let below = base.referrers(subject).await?;
            let hidden = self.hidden();
            referrers.extend(
                below.into_iter().filter(|referrer| {
                    !above.contains(&referrer.digest) && !hidden.manifests.contains(&referrer.digest)
                }),
            );
        }
        referrers.sort_by(|one, other| one.digest.cmp(&other.digest));
        Ok(referrers)
    }

    async fn roots(&self) -> Result<Vec<Descriptor>, StoreError> {
        let mut roots = self.top.roots().await?;
        if let Some(base) = &self.base {
            let below = base.roots().await?;
            roots.extend(below.into_iter().filter(|root| !self.is_deleted(&root.digest)));
        }
        roots.sort_by(|one, other| one.digest.cmp(&other.digest));
        roots.dedup_by(|one, other| one.digest == other.digest);
        Ok(roots)
    }

    async fn subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        let Some(above) = self.top.subjects().await? else {
            return Ok(None);
        };
        let Some(base) = &self.base else {
            return Ok(Some(above));
        };
        // A subject whose referrers were all deleted stays in the answer: asking for it is answered with nothing.
        Ok(base.subjects().await?.map(|below| below.into_iter().chain(above).collect()))
    }

    async fn listing(&self) -> Result<Option<Vec<Listed>>, StoreError> {
        let Some(above) = self.top.listing().await? else {
            return Ok(None);
        };
        let below = match &self.base {
            Some(base) => base.listing().await?,
            None => Some(Vec::new()),
        };
        let Some(below) = below else {
            return Ok(None);
        };
        let mut listing = BTreeMap::new();
        {
            let hidden = self.hidden();
            for mut listed in below.into_iter().filter(|listed| !hidden.manifests.contains(&listed.digest)) {
                listed.tags.retain(|tag| !hidden.tags.contains(tag));
                listing.insert(listed.digest.clone(), listed);
            }
        }
        for listed in above {
            let tags = listed.tags.clone();
            listing.entry(listed.digest.clone()).or_insert(listed).tags.extend(tags);
        }
        Ok(Some(listing.into_values().collect()))
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        let is_promised = self.promised().is_some_and(|promised| promised.contains(&blob.digest));
        if is_promised || self.top.has_blob(blob).await? {
            return Ok(true);
        }
        match &self.base {
            Some(base) => base.has_blob(blob).await,
            None => Ok(false),
        }
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        match &self.base {
            Some(base) if !self.top.has_blob(blob).await? => base.blob(blob).await,
            _ => self.top.blob(blob).await,
        }
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        if self.has_blob(blob).await? {
            return Ok(Delivery::Existing);
        }
        if let Some(mut promised) = self.promised().filter(|_| blob.size > SMALL) {
            promised.insert(blob.digest.clone());
            return Ok(Delivery::Copied);
        }
        self.top.push_blob(blob, source, from).await
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        let was_there = self.resolve(&Target::Tag(tag.clone())).await?.is_some();
        self.hidden().tags.insert(tag.clone());
        self.top.untag(tag).await?;
        Ok(was_there)
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        let was_there = self.resolve(&Target::Digest(digest.clone())).await?.is_some();
        self.hidden().manifests.insert(digest.clone());
        self.top.delete_manifest(digest).await?;
        Ok(was_there)
    }
}
