//! Registries in memory: repositories by name, so that a blob can be mounted from one to the next.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::MemoryStore;
use crate::oci::Repository;

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

impl Repositories {
    pub(super) fn find(&self, repository: &Repository) -> Option<Arc<MemoryStore>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&repository.identity()).cloned()
    }
}
