use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::oci::{Digest, Repository, Tag};

/// The manifests that this run brought to their repositories.
///
/// Steps that overlap may make the same manifest. Which of them is first is chance, so each of them says that it was
/// created: it was not there before the run.
#[derive(Debug, Default)]
pub struct Made {
    seen: Mutex<Seen>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Seen {
    manifests: HashSet<(Repository, Digest)>,
    tags: HashSet<(Repository, Tag)>,
    /// How often this run has brought something to a repository.
    arrivals: HashMap<Repository, u64>,
}

impl Made {
    /// Says that a manifest is not there and will be. It is said before the manifest can be seen.
    pub fn add(&self, repository: &Repository, manifest: &Digest) {
        self.lock().manifests.insert((repository.identity(), manifest.clone()));
        self.arrived(repository);
        self.changed.notify_waiters();
    }

    /// Says that something has come to a repository, whatever it is.
    pub fn arrived(&self, repository: &Repository) {
        *self.lock().arrivals.entry(repository.identity()).or_default() += 1;
    }

    /// How often something has come to a repository: what was absent at one time is absent as long as this is the same.
    pub fn arrivals(&self, repository: &Repository) -> u64 {
        self.lock().arrivals.get(&repository.identity()).copied().unwrap_or_default()
    }

    /// Says that a tag is about to point to such a manifest.
    pub fn add_tag(&self, repository: &Repository, tag: &Tag) {
        self.lock().tags.insert((repository.identity(), tag.clone()));
        self.changed.notify_waiters();
    }

    /// Whether this run brought the manifest.
    pub fn contains(&self, repository: &Repository, manifest: &Digest) -> bool {
        self.lock().manifests.contains(&(repository.identity(), manifest.clone()))
    }

    /// Waits until the manifest, or where only a tag names it, the tag, is known to be this run's.
    pub async fn wait(&self, repository: &Repository, manifest: Option<&Digest>, tag: Option<&Tag>) {
        let identity = repository.identity();
        let is_made = || {
            let seen = self.lock();
            match (manifest, tag) {
                (Some(digest), _) => seen.manifests.contains(&(identity.clone(), digest.clone())),
                (None, Some(tag)) => seen.tags.contains(&(identity.clone(), tag.clone())),
                (None, None) => false,
            }
        };
        loop {
            let changed = self.changed.notified();
            if is_made() {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
