use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use crate::oci::{Digest, Repository};

/// The manifests that this run brought to their repositories.
///
/// Steps that overlap may make the same manifest. Which of them is first is chance, so each of them says that it was
/// created: it was not there before the run.
#[derive(Debug, Default)]
pub struct Made {
    made: Mutex<HashSet<(Repository, Digest)>>,
}

impl Made {
    /// Says that a manifest is not there and will be. It is said before the manifest can be seen.
    pub fn add(&self, repository: &Repository, manifest: &Digest) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert((repository.identity(), manifest.clone()));
    }

    /// Whether this run brought the manifest.
    pub fn contains(&self, repository: &Repository, manifest: &Digest) -> bool {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.contains(&(repository.identity(), manifest.clone()))
    }
}
