use std::collections::BTreeSet;

use super::Credentials;
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
}

impl Default for RegistryOptions {
    /// Anonymous, HTTPS, 16 requests at once.
    fn default() -> Self {
        Self { plain_http: BTreeSet::new(), credentials: Credentials::none(), concurrency: 16 }
    }
}
