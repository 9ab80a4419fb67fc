use async_trait::async_trait;

use crate::{
    oci::{Descriptor, Digest, Manifest, RegistryName, Repository, RepositoryName, Tag, Target},
    store::{ByteStream, Delivery, Source, Store, StoreError},
};

/// One repository of a registry.
#[derive(Debug)]
pub struct RegistryStore {
    repository: Repository,
}

impl RegistryStore {
    pub(super) fn new(registry: &RegistryName, name: &RepositoryName) -> Self {
        Self { repository: Repository::Registry { registry: registry.clone(), name: name.clone() } }
    }

    /// Forgets what others may have changed: where tags point, which manifests are there, who refers to what.
    pub fn forget(&self) {}
}

#[async_trait]
impl Store for RegistryStore {
    fn repository(&self) -> &Repository {
        &self.repository
    }

    async fn resolve(&self, _target: &Target) -> Result<Option<Descriptor>, StoreError> {
        unimplemented!()
    }

    async fn manifest(&self, _target: &Target) -> Result<Option<Manifest>, StoreError> {
        unimplemented!()
    }

    async fn push_manifest(&self, _manifest: &Manifest, _tag: Option<&Tag>) -> Result<(), StoreError> {
        unimplemented!()
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        unimplemented!()
    }

    async fn referrers(&self, _subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        unimplemented!()
    }

    async fn has_blob(&self, _blob: &Descriptor) -> Result<bool, StoreError> {
        unimplemented!()
    }

    async fn blob(&self, _blob: &Descriptor) -> Result<ByteStream, StoreError> {
        unimplemented!()
    }

    async fn push_blob(
        &self,
        _blob: &Descriptor,
        _source: &Source,
        _from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        unimplemented!()
    }

    async fn untag(&self, _tag: &Tag) -> Result<bool, StoreError> {
        unimplemented!()
    }

    async fn delete_manifest(&self, _digest: &Digest) -> Result<bool, StoreError> {
        unimplemented!()
    }
}
