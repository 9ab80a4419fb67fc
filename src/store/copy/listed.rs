use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    oci::Digest,
    store::{Store, StoreError, walk::Walk},
};

/// What the target lists as referrers, asked for only where something may be listed.
pub(super) struct Listed {
    walk: Walk,
    /// Whether the root is there: what is about something new is new.
    is_asked: bool,
    lists: HashMap<Digest, HashSet<Digest>>,
}

impl Listed {
    /// Nothing is asked before [`Listed::begin`].
    pub(super) fn new(target: &Arc<dyn Store>, root: &Digest) -> Self {
        Self { walk: Walk::new(Arc::clone(target), root.clone()), is_asked: false, lists: HashMap::new() }
    }

    /// Asks what is listed under the root, which is there, and under what that lists.
    pub(super) async fn begin(&mut self, subjects: Vec<Digest>) -> Result<(), StoreError> {
        self.is_asked = true;
        self.ask_all(subjects).await
    }

    /// Asks what is listed under these, each with whether the target most likely has it.
    pub(super) async fn ask(&mut self, subjects: impl Iterator<Item = (Digest, bool)>) -> Result<(), StoreError> {
        if !self.is_asked {
            return Ok(());
        }
        // Where the target does not say which have any, only what is there counts.
        let knows = self.walk.knows_subjects();
        let subjects = subjects.filter(|(_, is_likely_there)| *is_likely_there || knows);
        self.ask_all(subjects.map(|(subject, _)| subject).collect()).await
    }

    async fn ask_all(&mut self, subjects: Vec<Digest>) -> Result<(), StoreError> {
        for (subject, referrers) in self.walk.ask(subjects).await? {
            self.lists.insert(subject, referrers.into_iter().map(|referrer| referrer.digest).collect());
        }
        Ok(())
    }

    /// Whether the target lists `referrer` under `subject`.
    pub(super) fn has(&self, subject: &Digest, referrer: &Digest) -> bool {
        self.lists.get(subject).is_some_and(|list| list.contains(referrer))
    }
}
