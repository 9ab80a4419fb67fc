//! The repositories of a rehearsal: each stands in for a real one, and remembers what was done to it.
//!
//! By itself a repository is empty; over a real one it shows what is there, and keeps every write to itself.

mod recorder;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use self::recorder::Recorder;
use super::{LayoutStore, MemoryRegistry, MemoryStore, OverlayStore, Store, registry::Registries};
use crate::{
    event::{Rehearsed, RehearsedRepository},
    oci::Repository,
};

/// Stand-ins for every repository.
#[derive(Debug)]
pub struct Rehearsal {
    embedded: MemoryRegistry,
    /// Where what is not in the rehearsal is read.
    real: Option<Registries>,
    /// By [`Repository::identity`].
    opened: Mutex<BTreeMap<Repository, Arc<Recorder>>>,
}

impl Rehearsal {
    /// Empty repositories, or over the real ones where `read_through` gives them. Image layouts are read, and written only
    /// in memory.
    pub fn new(read_through: Option<Registries>) -> Self {
        Self { embedded: MemoryRegistry::default(), real: read_through, opened: Mutex::default() }
    }

    /// The store of that repository. A layout's path is absolute.
    pub(super) fn open(&self, repository: &Repository) -> Arc<dyn Store> {
        self.recorder(repository)
    }

    /// What was done, and so what a real run would do.
    pub(super) fn rehearsed(&self) -> Rehearsed {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let repositories = opened.values().map(|recorder| RehearsedRepository {
            repository: recorder.repository().clone(),
            rights: recorder.rights(),
            changes: recorder.changes(),
        });
        Rehearsed { repositories: repositories.collect(), ..Rehearsed::default() }
    }

    fn recorder(&self, repository: &Repository) -> Arc<Recorder> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let recorder = opened.entry(repository.identity()).or_insert_with(|| {
            let top = self.embedded.repository(repository);
            Arc::new(Recorder::new(self.over_real(repository, top)))
        });
        Arc::clone(recorder)
    }

    fn over_real(&self, repository: &Repository, top: Arc<MemoryStore>) -> Arc<dyn Store> {
        let base: Arc<dyn Store> = match (repository, &self.real) {
            (Repository::Registry { .. }, None) => return top,
            (Repository::Registry { registry, name }, Some(real)) => real.repository(registry, name),
            (Repository::Layout(path), _) => Arc::new(LayoutStore::open(path)),
        };
        Arc::new(OverlayStore::on(Some(base), top))
    }
}
