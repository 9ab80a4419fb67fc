use std::collections::{BTreeMap, BTreeSet};

use super::{Credentials, RegistrySettings, Written};
use crate::oci::RegistryName;

/// What holds for all registries of a run.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// The registries that are asked over plain HTTP. Loopback registries always are, all others over HTTPS.
    pub plain_http: BTreeSet<RegistryName>,
    /// Who to be, where a registry asks.
    pub credentials: Credentials,
    /// How many requests each registry gets at once, at least 2: a copy within one registry reads and writes.
    pub concurrency: usize,
    /// What holds for registries of those names, each under one of its names.
    pub settings: BTreeMap<RegistryName, RegistrySettings>,
    /// Which repositories are written.
    pub written: Written,
    /// Whether an earlier run has sent blobs: what is small is asked for as well, and nothing is sent that was not hashed.
    pub goes_on: bool,
}

impl Default for RegistryOptions {
    /// Anonymous, HTTPS, 16 requests at once.
    fn default() -> Self {
        Self {
            plain_http: BTreeSet::new(),
            credentials: Credentials::none(),
            concurrency: 16,
            settings: BTreeMap::new(),
            written: Written::default(),
            goes_on: false,
        }
    }
}

impl RegistryOptions {
    /// What holds for the registry of that name, also where it was said under another of its names.
    pub(super) fn settings(&self, name: &RegistryName) -> Option<&RegistrySettings> {
        let by_identity = || {
            let identity = name.identity();
            self.settings.iter().find(|(other, _)| other.identity() == identity).map(|(_, settings)| settings)
        };
        self.settings.get(name).or_else(by_identity)
    }

    /// Whether that registry is asked over plain HTTP.
    pub(super) fn is_plain(&self, name: &RegistryName) -> bool {
        let said = self.settings(name).and_then(|settings| match settings.plain_http {
            // Who says how HTTPS is to be done means HTTPS.
            None if !settings.tls.is_plain() => Some(false),
            said => said,
        });
        self.plain_http.contains(name) || said.unwrap_or_else(|| name.is_loopback())
    }
}
