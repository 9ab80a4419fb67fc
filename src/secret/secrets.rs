use std::{collections::BTreeMap, sync::Arc};

use super::{LateSecret, Secret, SecretError, SecretProblem};

/// The secrets that a plan declares, by name. Clones share what was found.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    by_name: BTreeMap<Arc<str>, LateSecret>,
}

impl Secrets {
    /// These secrets. Nothing is looked for yet.
    pub fn new(secrets: impl IntoIterator<Item = LateSecret>) -> Self {
        Self { by_name: secrets.into_iter().map(|secret| (Arc::clone(secret.name()), secret)).collect() }
    }

    /// The secret of that name.
    pub fn get(&self, name: &str) -> Option<&LateSecret> {
        self.by_name.get(name)
    }

    /// What has been found so far, of all of them.
    pub fn found(&self) -> Vec<Secret> {
        self.by_name.values().filter_map(LateSecret::found).collect()
    }

    /// The value of the secret of that name, which is looked for now.
    pub async fn value(&self, name: &Arc<str>) -> Result<Secret, SecretError> {
        match self.get(name) {
            Some(secret) => secret.value().await,
            None => Err(SecretError { name: Arc::clone(name), problem: SecretProblem::Undeclared }),
        }
    }
}
