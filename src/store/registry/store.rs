use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;

use super::{
    azure,
    knowledge::RepositoryKnowledge,
    mirrors::{Mirror, Mirrors},
    registry::Registry,
};
use crate::{
    oci::{Descriptor, Digest, Manifest, Repository, RepositoryName, Tag, Target},
    store::{ByteStream, Delivery, Listed, Source, Store, StoreError, Unhashed},
};

/// One repository of a registry.
#[derive(Debug, Clone)]
pub struct RegistryStore {
    pub(super) repository: Repository,
    pub(super) name: RepositoryName,
    pub(super) registry: Arc<Registry>,
    pub(super) known: Arc<RepositoryKnowledge>,
    /// Who is asked first.
    pub(super) mirrors: Arc<Mirrors>,
}

impl RegistryStore {
    pub(super) fn new(registry: Arc<Registry>, name: &RepositoryName, mirrors: Vec<Mirror>) -> Self {
        let known = registry.known.repository(name);
        let repository = Repository::Registry { registry: registry.name.clone(), name: name.clone() };
        Self { repository, name: name.clone(), registry, known, mirrors: Arc::new(Mirrors::new(mirrors)) }
    }

    /// Forgets what others may have changed: where tags point, and which manifests are there.
    pub fn forget(&self) {
        self.known.forget();
    }
}

#[async_trait]
impl Store for RegistryStore {
    fn repository(&self) -> &Repository {
        &self.repository
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.find_descriptor(target).await
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.find_manifest(target).await
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        self.push(manifest, tag).await
    }

    async fn list_pushed(&self) -> Result<(), StoreError> {
        self.list_waiting().await
    }

    async fn list_pushed_to(&self, subject: &Digest, lists: usize) -> Result<(), StoreError> {
        self.list_waiting_to(subject, lists).await
    }

    async fn attach(&self, manifest: &Manifest) -> Result<(), StoreError> {
        self.push_and_list(manifest).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.all_tags().await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.find_referrers(subject).await
    }

    async fn listed(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.list_referrers(subject).await
    }

    async fn subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        self.listed_subjects().await
    }

    async fn listing(&self) -> Result<Option<Vec<Listed>>, StoreError> {
        // Nobody else is asked what only Azure knows.
        if azure::is_registry(&self.registry.name) { self.azure_listing().await } else { Ok(None) }
    }

    fn attached(&self, subject: &Digest) -> Vec<Digest> {
        let listed = self.known.own_list(subject).map(|list| list.listed()).unwrap_or_default();
        listed.into_iter().map(|entry| entry.digest).collect()
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        self.find_blob(blob).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        match self.mirrored_blob(blob).await {
            Some(content) => Ok(content),
            None => self.open_blob(blob).await,
        }
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        self.bring(blob, source, from).await
    }

    async fn push_unhashed(&self, content: &Unhashed) -> Option<Digest> {
        self.send_unhashed(content).await
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        self.remove_tag(tag).await
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.remove_manifest(digest).await
    }

    async fn unlist(&self, subject: &Digest, referrers: &[Digest]) -> Result<(), StoreError> {
        self.unlist_all(subject, referrers).await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        let settled = self.settle_lists().await;
        self.registry.say_goodbye().await;
        settled
    }
}
