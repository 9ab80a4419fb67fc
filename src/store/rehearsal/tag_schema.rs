use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::Mutex as AsyncMutex;

use crate::{
    oci::{Content, Descriptor, Digest, Index, Manifest, Repository, Tag, Target},
    store::{ByteStream, Delivery, Listed, Source, Store, StoreError},
};

/// A repository whose registry has no referrers API: who refers to a manifest stands in an index under a tag.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema>
#[derive(Debug)]
pub(super) struct TagSchema {
    inner: Arc<dyn Store>,
    /// What came here with a subject: nobody but the lists knows of it. What was there before, `inner` may list.
    pushed: Mutex<HashSet<Digest>>,
    /// What is to be listed, by subject. Held by whoever writes a list.
    waiting: AsyncMutex<BTreeMap<Digest, Vec<Descriptor>>>,
}

impl TagSchema {
    pub(super) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, pushed: Mutex::default(), waiting: AsyncMutex::default() }
    }

    fn is_hidden(&self, referrer: &Digest) -> bool {
        self.pushed.lock().unwrap_or_else(PoisonError::into_inner).contains(referrer)
    }

    /// The list of `subject`, and the digest of the manifest that it is.
    async fn list(&self, subject: &Digest) -> Result<Option<(Digest, Index)>, StoreError> {
        let found = self.inner.manifest(&Target::Tag(Tag::of_referrers(subject))).await?;
        Ok(found.and_then(|found| match found.content() {
            Content::Index(index) => Some((found.digest().clone(), Index::clone(index))),
            _ => None,
        }))
    }

    async fn write(&self, subject: &Digest, list: Index) -> Result<(), StoreError> {
        self.inner.push_manifest(&Manifest::from_index(list)?, Some(&Tag::of_referrers(subject))).await
    }

    async fn add(&self, subject: &Digest, entries: &[Descriptor]) -> Result<(), StoreError> {
        let mut list = self.list(subject).await?.map_or_else(|| Index::new(Vec::new()), |(_, list)| list);
        let before = list.manifests.len();
        for entry in entries {
            if !list.manifests.iter().any(|listed| listed.digest == entry.digest) {
                list.manifests.push(entry.clone());
            }
        }
        if list.manifests.len() == before { Ok(()) } else { self.write(subject, list).await }
    }
}

#[async_trait]
impl Store for TagSchema {
    fn repository(&self) -> &Repository {
        self.inner.repository()
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.inner.resolve(target).await
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.inner.manifest(target).await
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let Some(subject) = manifest.subject() else {
            return self.inner.push_manifest(manifest, tag).await;
        };
        self.pushed.lock().unwrap_or_else(PoisonError::into_inner).insert(manifest.digest().clone());
        self.inner.push_manifest(manifest, tag).await?;
        let mut waiting = self.waiting.lock().await;
        waiting.entry(subject.digest.clone()).or_default().push(manifest.referrer_descriptor());
        Ok(())
    }

    async fn list_pushed(&self) -> Result<(), StoreError> {
        let mut waiting = self.waiting.lock().await;
        while let Some((subject, entries)) = waiting.first_key_value() {
            self.add(subject, entries).await?;
            waiting.pop_first();
        }
        Ok(())
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.inner.tags().await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let mut referrers = self.list(subject).await?.map(|(_, list)| list.manifests).unwrap_or_default();
        let below = self.inner.referrers(subject).await?;
        referrers.extend(below.into_iter().filter(|referrer| !self.is_hidden(&referrer.digest)));
        referrers.sort_by(|one, other| one.digest.cmp(&other.digest));
        referrers.dedup_by(|one, other| one.digest == other.digest);
        Ok(referrers)
    }

    async fn listing(&self) -> Result<Option<Vec<Listed>>, StoreError> {
        self.inner.listing().await
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        self.inner.has_blob(blob).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        self.inner.blob(blob).await
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        self.inner.push_blob(blob, source, from).await
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        self.inner.untag(tag).await
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.inner.delete_manifest(digest).await
    }

    async fn unlist(&self, subject: &Digest, referrers: &[Digest]) -> Result<(), StoreError> {
        let _waiting = self.waiting.lock().await;
        let Some((digest, mut list)) = self.list(subject).await? else {
            return Ok(());
        };
        let before = list.manifests.len();
        list.manifests.retain(|entry| !referrers.contains(&entry.digest));
        if list.manifests.is_empty() {
            self.inner.delete_manifest(&digest).await?;
        } else if list.manifests.len() < before {
            self.write(subject, list).await?;
        }
        Ok(())
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.list_pushed().await?;
        self.inner.settle().await
    }
}
