//! The repositories of a rehearsal: each stands in for a real one, and remembers what was done to it.
//!
//! By itself a repository is empty; over a real one it shows what is there, and keeps every write to itself. Seeds fill it
//! before the run, faults make it as bad as the real world, and what became of it can be kept. What goes wrong on the way is
//! done to the questions, not to HTTP.

mod fault;
mod faults;
mod faulty;
mod kept;
mod recorder;
mod seed;
mod tag_schema;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::mpsc;

pub use self::{
    fault::{Fault, FaultError},
    faults::Faults,
    seed::{Seed, SeedError},
};
use self::{faulty::Faulty, recorder::Recorder, tag_schema::TagSchema};
use super::{
    ArchiveStore, CopyOptions, LayoutStore, MemoryRegistry, MemoryStore, OverlayStore, Standing, Store, StoreError,
    copy, registry::Registries,
};
use crate::{
    event::{Change, Progress, Rehearsed, RehearsedRepository, Rights, StepId},
    oci::{Manifest, Repository, Tag, Target},
};

/// Stand-ins for every repository.
#[derive(Debug)]
pub struct Rehearsal {
    embedded: MemoryRegistry,
    /// Where what is not in the rehearsal is read.
    real: Option<Registries>,
    faults: Arc<Faults>,
    /// Whether large blobs are only promised.
    promises: bool,
    /// By [`Repository::identity`].
    opened: Mutex<BTreeMap<Repository, Arc<Recorder>>>,
}

impl Rehearsal {
    /// Empty repositories, or over the real ones where `read_through` gives them. Image layouts are read, and written only
    /// in memory.
    pub fn new(read_through: Option<Registries>, faults: Faults) -> Self {
        let faults = Arc::new(faults);
        Self {
            embedded: MemoryRegistry::default(),
            real: read_through,
            faults,
            promises: false,
            opened: Mutex::default(),
        }
    }

    /// Over the real repositories, for who wants to know what would change there: large blobs are not moved.
    pub fn preview(real: Registries) -> Self {
        Self { promises: true, ..Self::new(Some(real), Faults::default()) }
    }

    /// What that step changed, in each repository: tags that it moved, and all that it deleted, sorted.
    pub fn changes_of(&self, step: &str) -> Vec<(Repository, Change)> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = opened.values().flat_map(|recorder| {
            let changes = recorder.changes_of(step).into_iter();
            changes.map(|change| (recorder.repository().clone(), change))
        });
        // Who was first to bring a manifest that several bring is chance.
        let is_certain = |change: &Change| matches!(change.target, Target::Tag(_)) || change.after.is_none();
        let mut changes: Vec<_> = changes.filter(|(_, change)| is_certain(change)).collect();
        changes.sort_by(|(one, first), (other, second)| (one, &first.target).cmp(&(other, &second.target)));
        changes
    }

    /// Brings content in before the run. Nobody counts it as something that the run did. `place` finds the repository
    /// behind a name, and makes the paths of image layouts absolute.
    pub async fn seed(&self, seed: &Seed, place: &(dyn Fn(&Repository) -> Repository + Sync)) -> Result<(), SeedError> {
        let mut layouts: HashMap<_, Arc<dyn Store>> = HashMap::new();
        for planting in seed.plantings().await? {
            let path = planting.layout;
            let source = layouts.entry(path.clone()).or_insert_with(|| Arc::new(LayoutStore::open(path)));
            let digest = &planting.manifest.digest;
            let manifest = source.manifest(&Target::Digest(digest.clone())).await?;
            let missing =
                || StoreError::Missing { digest: digest.clone(), repository: source.repository().to_string() };
            let manifest = manifest.ok_or_else(missing)?;
            let target = self.below(&place(&planting.repository));
            plant(source, &manifest, planting.tag.as_ref(), &target, true).await?;
        }
        Ok(())
    }

    /// Leaves an image layout for each repository in `folder`: everything that was brought or made, with what it needs. The
    /// paths of the plan's own image layouts begin at `workdir`.
    pub async fn keep(&self, folder: &Path, workdir: &Path) -> Result<(), StoreError> {
        let opened: Vec<_> = {
            let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.values().cloned().collect()
        };
        for recorder in opened {
            let repository = recorder.repository();
            let top = self.embedded.repository(repository);
            let layout: Arc<dyn Store> = Arc::new(LayoutStore::open(kept::place(folder, repository, workdir)));
            for manifest in top.manifests() {
                plant(recorder.inner(), &manifest, None, &layout, false).await?;
            }
            for tag in top.tags().await? {
                if let Some(manifest) = top.manifest(&Target::Tag(tag.clone())).await? {
                    layout.push_manifest(&manifest, Some(&tag)).await?;
                }
            }
        }
        Ok(())
    }

    /// The store of that repository. A layout's path is absolute.
    pub(super) fn open(&self, repository: &Repository) -> Arc<dyn Store> {
        let recorder: Arc<dyn Store> = self.recorder(repository);
        let Repository::Registry { registry, name } = repository else { return recorder };
        let store: Arc<dyn Store> = if self.faults.concern(registry) {
            Arc::new(Faulty::new(recorder, &self.faults, registry, name))
        } else {
            recorder
        };
        self.with_lists(repository, store)
    }

    /// What was done, and so what a real run would do.
    pub(super) fn rehearsed(&self) -> Rehearsed {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let repositories = opened.values().map(|recorder| RehearsedRepository {
            repository: recorder.repository().clone(),
            rights: recorder.rights(),
            changes: recorder.changes(),
        });
        // What was only seeded has no part in the plan.
        let repositories = repositories.filter(|it| it.rights != Rights::default()).collect();
        Rehearsed { repositories, faults: self.faults.injected(), tries: self.faults.tries() }
    }

    /// The same store without anybody who watches.
    fn below(&self, repository: &Repository) -> Arc<dyn Store> {
        self.with_lists(repository, Arc::clone(self.recorder(repository).inner()))
    }

    fn with_lists(&self, repository: &Repository, store: Arc<dyn Store>) -> Arc<dyn Store> {
        match repository.registry() {
            Some(registry) if !self.faults.leave_referrers(registry) => Arc::new(TagSchema::new(store)),
            _ => store,
        }
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
            (Repository::Archive { form, path }, _) => Arc::new(ArchiveStore::open(*form, path)),
        };
        let overlay = OverlayStore::on(Some(base), top);
        Arc::new(if self.promises { overlay.promising() } else { overlay })
    }
}

/// Brings one manifest from store to store, with what it needs, and the tag last.
async fn plant(
    source: &Arc<dyn Store>,
    manifest: &Manifest,
    tag: Option<&Tag>,
    target: &Arc<dyn Store>,
    referrers: bool,
) -> Result<(), StoreError> {
    // No step does this, so nobody hears of it.
    let (tx, _) = mpsc::unbounded_channel();
    let nobody = Progress::new(StepId::new(0, ""), tx);
    let options = CopyOptions { referrers, ..CopyOptions::default() };
    copy(source, manifest, target, &options, &nobody, Standing::Unknown).await?;
    if let Some(tag) = tag {
        target.push_manifest(manifest, Some(tag)).await?;
        target.list_pushed().await?;
    }
    Ok(())
}
