use std::{fmt, path::Path, sync::Arc};

use tokio::sync::OnceCell;

use super::{Secret, SecretError, SecretSource};

/// A secret that is looked for when somebody needs it, once however many do. Clones share what was found.
#[derive(Clone)]
pub struct LateSecret {
    name: Arc<str>,
    source: SecretSource,
    found: Arc<OnceCell<Secret>>,
}

impl LateSecret {
    /// The secret that the plan calls `name`. Nothing is looked for yet.
    pub fn new(name: Arc<str>, source: SecretSource) -> Self {
        Self { name, source, found: Arc::default() }
    }

    /// What the plan calls it.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its value. What failed is tried again by whoever needs it next.
    pub async fn value(&self) -> Result<Secret, SecretError> {
        let find = || async { self.source.find().await };
        let found = self.found.get_or_try_init(find).await;
        found.cloned().map_err(|problem| SecretError { name: Arc::clone(&self.name), problem })
    }

    /// The file that holds it, where it comes from one.
    pub fn file(&self) -> Option<&Path> {
        if let SecretSource::File(path) = &self.source { Some(path) } else { None }
    }

    /// Its value, where it has been found already.
    pub fn found(&self) -> Option<Secret> {
        self.found.get().cloned()
    }

    /// Why it will have no value, as far as that can be told without reading it or running a program.
    pub fn missing(&self) -> Option<SecretError> {
        self.source.missing().map(|problem| SecretError { name: Arc::clone(&self.name), problem })
    }
}

impl fmt::Debug for LateSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateSecret").field("name", &self.name).finish_non_exhaustive()
    }
}
