use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use reqwest::{Client, ClientBuilder, Method, redirect};

use super::{
    RegistryError, RegistryOptions, RegistryStore,
    answer::network,
    http::Permits,
    knowledge::RegistryKnowledge,
    pace::Pace,
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
    client: Client,
    /// For loopback registries: a proxy's loopback is another machine.
    direct: Client,
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
        let (client, direct) = (build(client())?, build(client().no_proxy())?);
        Ok(Self { inner: Arc::new(Inner { options, pace, client, direct, open: Mutex::default() }) })
    }

    /// The repository of that name; the same store each time.
    pub fn repository(&self, registry: &RegistryName, name: &RepositoryName) -> Arc<RegistryStore> {
        let mut open = self.inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = &mut *open;
        let store = open.stores.entry((registry.clone(), name.clone())).or_insert_with(|| {
            let registry = open.registries.entry(registry.clone()).or_insert_with(|| {
                let shared = open.shared.entry(registry.identity()).or_insert_with(|| Shared {
                    known: Arc::new(RegistryKnowledge::default()),
                    permits: Permits::new(self.inner.options.concurrency),
                });
                Arc::new(self.inner.registry(registry, shared.clone()))
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

impl Inner {
    fn registry(&self, name: &RegistryName, shared: Shared) -> Registry {
        let client = if name.is_loopback() { &self.direct } else { &self.client };
        Registry::new(name, client.clone(), &self.options, self.pace, shared)
    }
}

/// Redirects are ours to judge. One upload over HTTP/2 is slower than over HTTP/1.1, and several share its window.
fn client() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("consign/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(std::time::Duration::from_secs(30))
}

fn build(builder: ClientBuilder) -> Result<Client, StoreError> {
    builder
        .build()
        .map_err(|error| RegistryError { method: Method::GET, url: String::new(), problem: network(error) }.into())
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
