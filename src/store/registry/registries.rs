use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use reqwest::Method;

use super::{
    Limits, RegistryError, RegistryOptions, RegistryStore,
    clients::Clients,
    cooldown::Cooldown,
    knowledge::RegistryKnowledge,
    pace::Pace,
    permits::Permits,
    registry::{Registry, Shared},
};
use crate::{
    oci::{RegistryName, RepositoryName},
    store::StoreError,
};

/// Every registry of a run. Clones share everything: connections, logins, and what is known already.
#[derive(Debug, Clone)]
pub struct Registries {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: RegistryOptions,
    pace: Pace,
    clients: Clients,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// By identity: a registry may have several names.
    shared: HashMap<RegistryName, Shared>,
    registries: HashMap<RegistryName, Arc<Registry>>,
    stores: HashMap<(RegistryName, RepositoryName), Arc<RegistryStore>>,
}

impl Registries {
    /// Asks nobody yet. It fails only where the system has no TLS to offer.
    pub fn new(options: RegistryOptions) -> Result<Self, StoreError> {
        Self::with_pace(options, Pace::patient())
    }

    pub(super) fn with_pace(options: RegistryOptions, pace: Pace) -> Result<Self, StoreError> {
        let clients =
            Clients::new().map_err(|problem| RegistryError { method: Method::GET, url: String::new(), problem })?;
        Ok(Self { inner: Arc::new(Inner { options, pace, clients, open: Mutex::default() }) })
    }

    /// The repository of that name; the same store each time.
    pub fn repository(&self, registry: &RegistryName, name: &RepositoryName) -> Arc<RegistryStore> {
        let inner = &*self.inner;
        let mut open = inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = &mut *open;
        let store = open.stores.entry((registry.clone(), name.clone())).or_insert_with(|| {
            let registry = open.registries.entry(registry.clone()).or_insert_with(|| {
                let shared = open.shared.entry(registry.identity()).or_insert_with(|| Shared {
                    known: Arc::new(RegistryKnowledge::default()),
                    permits: Permits::new(Limits { concurrency: inner.options.concurrency, rate: None }),
                    cooldown: Cooldown::default(),
                });
                Arc::new(Registry::new(registry, &inner.clients, &inner.options, inner.pace, shared.clone()))
            });
            Arc::new(RegistryStore::new(Arc::clone(registry), name))
        });
        Arc::clone(store)
    }

    /// Forgets what others may have changed: where tags point, and which manifests are there.
    pub fn forget(&self) {
        let open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        for shared in open.shared.values() {
            shared.known.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_one_store_and_its_names_share_what_is_known() {
        let registries = Registries::new(RegistryOptions::default()).unwrap();
        let store = |registry: &str, name: &str| {
            registries.clone().repository(&registry.parse().unwrap(), &name.parse().unwrap())
        };
        assert!(Arc::ptr_eq(&store("r.io", "a"), &store("r.io", "a")));
        assert!(!Arc::ptr_eq(&store("r.io", "a"), &store("r.io", "b")));
        let (one, other) = (store("localhost:5000", "a"), store("127.0.0.1:5000", "a"));
        assert!(!Arc::ptr_eq(&one, &other) && Arc::ptr_eq(&one.known, &other.known));
    }
}
