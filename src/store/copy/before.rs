//! What the target had before the copy. Each question is asked once.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OnceCell, Semaphore};

use super::discover::Found;
use crate::{
    oci::{Digest, Target},
    store::{Store, StoreError},
};

pub(super) struct Before {
    target: Arc<dyn Store>,
    permits: Arc<Semaphore>,
    manifests: Answers<Digest, bool>,
    lists: Answers<Digest, HashSet<Digest>>,
}

type Answers<K, V> = Mutex<HashMap<K, Arc<OnceCell<V>>>>;

impl Before {
    pub(super) fn new(target: &Arc<dyn Store>, permits: &Arc<Semaphore>) -> Self {
        Self {
            target: Arc::clone(target),
            permits: Arc::clone(permits),
            manifests: Mutex::default(),
            lists: Mutex::default(),
        }
    }

    /// Whether the manifest was there, and listed if it is a referrer.
    pub(super) async fn had(&self, found: &Found) -> Result<bool, StoreError> {
        if let Some(subject) = found.manifest.subject() {
            // A subject that came with this copy has no list worth asking for.
            if found.is_referrer && !self.had_manifest(&subject.digest).await? {
                return Ok(false);
            }
            if !self.was_listed(&subject.digest, found.manifest.digest()).await? {
                return Ok(false);
            }
        }
        self.had_manifest(found.manifest.digest()).await
    }

    async fn had_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        let answer = cell(&self.manifests, digest);
        let ask = || async {
            let _permit = self.permits.acquire().await;
            Ok::<_, StoreError>(self.target.resolve(&Target::Digest(digest.clone())).await?.is_some())
        };
        answer.get_or_try_init(ask).await.copied()
    }

    async fn was_listed(&self, subject: &Digest, referrer: &Digest) -> Result<bool, StoreError> {
        let answer = cell(&self.lists, subject);
        let ask = || async {
            let _permit = self.permits.acquire().await;
            let referrers = self.target.referrers(subject).await?;
            Ok::<_, StoreError>(referrers.into_iter().map(|referrer| referrer.digest).collect())
        };
        Ok(answer.get_or_try_init(ask).await?.contains(referrer))
    }
}

fn cell<K: Clone + Eq + Hash, V>(answers: &Answers<K, V>, key: &K) -> Arc<OnceCell<V>> {
    let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(answers.entry(key.clone()).or_default())
}
