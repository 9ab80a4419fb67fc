use std::collections::{HashMap, HashSet};

use crate::{
    oci::{Digest, Reference, Repository},
    step::StepContext,
    store::Store,
};

/// What nothing refers to, in the repositories in which a step signs a lot: there are no earlier signatures to look for.
/// That is asked once for a repository, where its registry can tell.
#[derive(Debug, Default)]
pub(in crate::step) struct Unsigned {
    /// What something refers to.
    subjects: HashMap<Repository, HashSet<Digest>>,
}

/// With fewer manifests in one repository, asking for each is as good.
const MANY: usize = 8;

impl Unsigned {
    /// Asks where that pays.
    pub(in crate::step) async fn ask(cx: &StepContext, references: impl Iterator<Item = &Reference>) -> Self {
        let mut counts: HashMap<&Repository, usize> = HashMap::new();
        for reference in references {
            *counts.entry(&reference.repository).or_default() += 1;
        }
        let mut subjects = HashMap::new();
        for repository in counts.into_iter().filter_map(|(repository, count)| (count >= MANY).then_some(repository)) {
            let store = cx.open(repository);
            // Where it cannot be told, or fails, each is asked for, and it fails there if need be.
            if let Ok(Some(known)) = store.subjects().await {
                subjects.insert(store.repository().clone(), known);
            }
        }
        Self { subjects }
    }

    /// Whether nothing refers to `subject`, neither before the step began nor since by this run.
    pub(in crate::step) fn has(&self, store: &dyn Store, subject: &Digest) -> bool {
        let known = self.subjects.get(store.repository());
        known.is_some_and(|known| !known.contains(subject)) && store.attached(subject).is_empty()
    }
}
