//! Registries in memory: repositories by name, so that a blob can be mounted from one to the next.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;

use super::{Host, Hosted, MemoryStore, Staged, StoreError};
use crate::oci::{Algorithm, Digest, RegistryName, Repository, RepositoryName};

/// Every repository of any number of registries, each made when it is first asked for. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryRegistry {
    repositories: Arc<Repositories>,
}

/// By [`Repository::identity`]: `localhost:5000/a` and `127.0.0.1:5000/a` are one.
#[derive(Debug, Default)]
pub(super) struct Repositories(Mutex<BTreeMap<Repository, Arc<MemoryStore>>>);

impl MemoryRegistry {
    /// The repository of that name. Within one registry, it takes blobs from other repositories without moving them.
    pub fn repository(&self, repository: &Repository) -> Arc<MemoryStore> {
        let mut repositories = self.repositories.0.lock().unwrap_or_else(PoisonError::into_inner);
        let siblings = Arc::downgrade(&self.repositories);
        let store = repositories
            .entry(repository.identity())
            .or_insert_with(|| Arc::new(MemoryStore::beside(repository.clone(), siblings)));
        Arc::clone(store)
    }

    /// The repositories that were asked for, sorted.
    pub fn repositories(&self) -> Vec<Repository> {
        self.repositories.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

/// The repositories of one registry in memory, for a server.
#[derive(Debug, Clone)]
pub struct MemoryHost {
    registry: MemoryRegistry,
    name: RegistryName,
}

impl MemoryHost {
    /// The part of `registry` that has the name `name`.
    pub const fn new(registry: MemoryRegistry, name: RegistryName) -> Self {
        Self { registry, name }
    }

    fn repository(&self, name: &RepositoryName) -> Repository {
        Repository::Registry { registry: self.name.clone(), name: name.clone() }
    }

    /// Those in which something was ever stored, sorted.
    fn stores(&self) -> Vec<(RepositoryName, Arc<MemoryStore>)> {
        let identity = self.name.identity();
        let repositories = self.registry.repositories.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = repositories.iter().filter_map(|(repository, store)| match repository {
            Repository::Registry { registry, name } if *registry == identity => Some((name, store)),
            _ => None,
        });
        let made = ours.filter(|(_, store)| store.is_made());
        made.map(|(name, store)| (name.clone(), Arc::clone(store))).collect()
    }
}

#[async_trait]
impl Host for MemoryHost {
    async fn find(&self, name: &RepositoryName) -> Result<Option<Arc<dyn Hosted>>, StoreError> {
        let store = self.registry.repositories.find(&self.repository(name));
        Ok(store.filter(|store| store.is_made()).map(|store| store as Arc<dyn Hosted>))
    }

    async fn open(&self, name: &RepositoryName) -> Result<Arc<dyn Hosted>, StoreError> {
        Ok(self.registry.repository(&self.repository(name)))
    }

    async fn names(&self) -> Result<Vec<RepositoryName>, StoreError> {
        Ok(self.stores().into_iter().map(|(name, _)| name).collect())
    }

    async fn stage(&self, algorithm: Algorithm) -> Result<Staged, StoreError> {
        Ok(Staged::in_memory(algorithm))
    }

    async fn mount(
        &self,
        digest: &Digest,
        from: Option<&RepositoryName>,
        to: &RepositoryName,
    ) -> Result<bool, StoreError> {
        let mut sources = self.stores().into_iter().filter(|(name, _)| from.is_none_or(|from| from == name));
        let Some(content) = sources.find_map(|(_, store)| store.stored_blob(digest)) else {
            return Ok(false);
        };
        self.registry.repository(&self.repository(to)).keep_blob(digest, content);
        Ok(true)
    }
}

impl Repositories {
    pub(super) fn find(&self, repository: &Repository) -> Option<Arc<MemoryStore>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&repository.identity()).cloned()
    }
}
