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
    mirrors::Mirror,
    pace::Pace,
    permits::Permits,
    registry::{Registry, Shared},
};
use crate::{
    oci::{RegistryName, RegistryPrefix, Repository, RepositoryName},
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
        let mut open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.inner.repository(&mut open, registry, name)
    }

    /// Makes sure that the registry takes the credential that there is for it. `false`: it takes anybody.
    pub async fn check_login(&self, registry: &RegistryName) -> Result<bool, StoreError> {
        let registry = {
            let mut open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
            self.inner.registry(&mut open, registry)
        };
        registry.greet().await
    }

    /// Forgets what others may have changed: where tags point, and which manifests are there.
    pub fn forget(&self) {
        let open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        for shared in open.shared.values() {
            shared.known.forget();
        }
    }
}

impl Inner {
    fn repository(&self, open: &mut Open, registry: &RegistryName, name: &RepositoryName) -> Arc<RegistryStore> {
        let key = (registry.clone(), name.clone());
        if let Some(store) = open.stores.get(&key) {
            return Arc::clone(store);
        }
        let mirrors = self.mirrors(open, registry, name);
        let store = Arc::new(RegistryStore::new(self.registry(open, registry), name, mirrors));
        open.stores.insert(key, Arc::clone(&store));
        store
    }

    fn registry(&self, open: &mut Open, name: &RegistryName) -> Arc<Registry> {
        let registry = open.registries.entry(name.clone()).or_insert_with(|| {
            let shared = open.shared.entry(name.identity()).or_insert_with(|| self.options.share(name));
            Arc::new(Registry::new(name, &self.clients, &self.options, self.pace, shared.clone()))
        });
        Arc::clone(registry)
    }

    /// The mirrors of that repository, unless it is written.
    fn mirrors(&self, open: &mut Open, registry: &RegistryName, name: &RepositoryName) -> Vec<Mirror> {
        let mirrors = self.options.settings(registry).map(|settings| settings.mirrors.as_slice()).unwrap_or_default();
        let repository = Repository::Registry { registry: registry.clone(), name: name.clone() };
        if mirrors.is_empty() || self.options.written.contains(&repository) {
            return Vec::new();
        }
        let mirror = |mirror: &RegistryPrefix| {
            let name = mirror.repository_name(name)?;
            Some(Mirror { registry: self.registry(open, &mirror.registry), name })
        };
        mirrors.iter().filter_map(mirror).collect()
    }
}

impl RegistryOptions {
    /// What all names of that registry begin with.
    fn share(&self, registry: &RegistryName) -> Shared {
        let settings = self.settings(registry);
        let limits = settings.and_then(|settings| settings.limits);
        let referrers = settings.map(|settings| settings.referrers).unwrap_or_default();
        Shared {
            known: Arc::new(RegistryKnowledge::new(referrers)),
            permits: Permits::new(limits.unwrap_or(Limits { concurrency: self.concurrency, rate: None })),
            cooldown: Cooldown::default(),
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
