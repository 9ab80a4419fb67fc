use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::sync::OnceCell;

use crate::oci::Digest;

/// The lists of the referrers tag schema in a repository of a registry that has the referrers API by now.
///
/// They may name what was pushed before it had that. What is pushed since the API lists: no list that comes later is needed,
/// and it is enough to ask once which there are.
#[derive(Debug, Default)]
pub(super) struct OldLists {
    questions: AtomicUsize,
    subjects: OnceCell<Option<HashSet<Digest>>>,
}

/// So many lists are looked for, each on its own, before it is worth asking which there are.
const MANY: usize = 4;

impl OldLists {
    /// Whether there may be one of `subject`. `ask` gives the subjects of all there are, or nothing where that cannot be
    /// told.
    pub(super) async fn may_have<F: Future<Output = Option<HashSet<Digest>>>>(
        &self,
        subject: &Digest,
        ask: impl FnOnce() -> F,
    ) -> bool {
        if self.questions.fetch_add(1, Ordering::Relaxed) < MANY {
            return true;
        }
        self.subjects.get_or_init(ask).await.as_ref().is_none_or(|subjects| subjects.contains(subject))
    }
}
