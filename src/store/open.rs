use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{ArchiveStore, Faults, LayoutStore, Rehearsal, Store, StoreError, registry::Registries};
use crate::{event::Rehearsed, oci::Repository};

/// The repositories of a run: each opened when it is first named, and the same store ever after.
#[derive(Debug)]
pub struct Stores {
    access: Access,
    opened: Mutex<HashMap<Repository, Arc<dyn Store>>>,
}

enum Access {
    Real(Registries),
    /// Nothing outside is written.
    Rehearsal(Arc<Rehearsal>),
    /// Whatever the function gives.
    Custom(Box<Opener>),
}

/// Makes the store of a repository.
type Opener = dyn Fn(&Repository) -> Arc<dyn Store> + Send + Sync;

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real(_) => "Real",
            Self::Rehearsal(_) => "Rehearsal",
            Self::Custom(_) => "Custom",
        })
    }
}

impl Stores {
    /// Real registries and layouts.
    pub fn real(registries: Registries) -> Self {
        Self { access: Access::Real(registries), opened: Mutex::default() }
    }

    /// Stand-ins for every repository: empty, or over the real ones where `read_through` gives them. Image layouts are
    /// read, and written only in memory.
    pub fn rehearsal(read_through: Option<Registries>) -> Self {
        Self::rehearse(Arc::new(Rehearsal::new(read_through, Faults::default())))
    }

    /// The repositories of that rehearsal.
    pub fn rehearse(rehearsal: Arc<Rehearsal>) -> Self {
        Self { access: Access::Rehearsal(rehearsal), opened: Mutex::default() }
    }

    /// These stores, and a rehearsal's for every other repository.
    #[cfg(test)]
    pub(crate) fn scripted(stores: impl IntoIterator<Item = Arc<dyn Store>>) -> Self {
        let opened = stores.into_iter().map(|store| (store.repository().identity(), store)).collect();
        Self { opened: Mutex::new(opened), ..Self::rehearsal(None) }
    }

    /// Stores of the caller's own. `opener` is asked once for each repository, and never asks back.
    pub fn custom(opener: impl Fn(&Repository) -> Arc<dyn Store> + Send + Sync + 'static) -> Self {
        Self { access: Access::Custom(Box::new(opener)), opened: Mutex::default() }
    }

    /// The store of that repository. A layout's path is absolute.
    pub fn open(&self, repository: &Repository) -> Arc<dyn Store> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let store = opened.entry(repository.identity()).or_insert_with(|| self.access.open(repository));
        Arc::clone(store)
    }

    /// What was done, where this is a rehearsal.
    pub fn rehearsed(&self) -> Option<Rehearsed> {
        match &self.access {
            Access::Rehearsal(rehearsal) => Some(rehearsal.rehearsed()),
            Access::Real(_) | Access::Custom(_) => None,
        }
    }

    /// Makes sure that everything that was attached is still listed. Every store is asked, also after one has failed.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let opened: Vec<_> = {
            let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.values().cloned().collect()
        };
        let settled = futures_util::future::join_all(opened.iter().map(|store| store.settle())).await;
        settled.into_iter().collect()
    }
}

impl Access {
    fn open(&self, repository: &Repository) -> Arc<dyn Store> {
        match (self, repository) {
            (Self::Custom(opener), _) => opener(repository),
            (Self::Real(registries), Repository::Registry { registry, name }) => registries.repository(registry, name),
            (Self::Real(_), Repository::Layout(path)) => Arc::new(LayoutStore::open(path)),
            (Self::Real(_), Repository::Archive { form, path }) => Arc::new(ArchiveStore::open(*form, path)),
            (Self::Rehearsal(rehearsal), _) => rehearsal.open(repository),
        }
    }
}
