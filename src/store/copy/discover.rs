//! Finds the manifests that a copy takes along, level by level, and hands each on once.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{Semaphore, mpsc::UnboundedSender};

use super::{CopyOptions, ReferrerFilter};
use crate::{
    oci::{Descriptor, Digest, Manifest, Target},
    store::{
        Store, StoreError, needs,
        walk::{Walk, within_limit},
    },
};

/// A manifest of the source.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) manifest: Manifest,
    /// Whether it goes along because its subject does.
    pub(super) is_referrer: bool,
}

/// A manifest to fetch.
struct Wanted {
    descriptor: Descriptor,
    /// Whose referrer it is, where it was listed as one.
    subject: Option<Digest>,
    /// How far it is from what is copied: 0 for that, 1 for what refers to it, and so on.
    level: usize,
}

/// The most that the manifests of one graph may weigh together: they may all be waiting for one another.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// Sends `root` and everything that goes along. Nobody listens any more: then it does not matter what is left.
pub(super) async fn discover(
    source: &Arc<dyn Store>,
    root: &Manifest,
    options: &CopyOptions,
    permits: &Semaphore,
    tx: UnboundedSender<Found>,
) -> Result<(), StoreError> {
    let mut walk = options.referrers.then(|| Walk::new(Arc::clone(source), root.digest().clone()));
    let mut seen = HashSet::from([root.digest().clone()]);
    let mut count = 1;
    let weight = AtomicU64::new(0);
    let hand_on = |manifest: &Manifest, is_referrer| {
        let size = manifest.bytes().len() as u64;
        let _ = tx.send(Found { manifest: manifest.clone(), is_referrer });
        if weight.fetch_add(size, Ordering::Relaxed) + size <= MAX_BYTES {
            return Ok(());
        }
        let unit = "bytes of manifests";
        Err(StoreError::GraphTooLarge { root: root.digest().clone(), limit: MAX_BYTES, unit })
    };
    hand_on(root, false)?;
    // Every subject that is asked for has its level here.
    let mut levels = HashMap::from([(root.digest().clone(), 0)]);
    let reaches = |level: usize| options.filter.as_ref().is_none_or(|filter| filter.reaches(level));
    let mut subjects: Vec<_> = Some(root.digest().clone()).filter(|_| reaches(1)).into_iter().collect();
    let mut wanted = children(root, 0, &mut seen);
    while !(subjects.is_empty() && wanted.is_empty()) {
        count += wanted.len();
        within_limit(root.digest(), count)?;
        // A referrer's own referrers can be asked for before it is here: its digest is enough.
        for wanted in wanted.iter().filter(|wanted| reaches(wanted.level + 1)) {
            levels.insert(wanted.descriptor.digest.clone(), wanted.level);
            subjects.push(wanted.descriptor.digest.clone());
        }
        let ask = async {
            match &mut walk {
                Some(walk) => walk.ask(std::mem::take(&mut subjects)).await,
                None => Ok(Vec::new()),
            }
        };
        let hand_on = &hand_on;
        let fetch_all = stream::iter(wanted)
            .map(|wanted| async move {
                let manifest = fetch(source, &wanted, options.filter.as_deref(), permits).await?;
                if let Some(manifest) = &manifest {
                    hand_on(manifest, wanted.subject.is_some())?;
                }
                Ok((wanted, manifest))
            })
            .buffered(options.concurrency.max(1))
            .try_collect::<Vec<_>>();
        let (lists, manifests) = tokio::try_join!(ask, fetch_all)?;
        subjects.clear();
        let mut refused = HashSet::new();
        let mut next = Vec::new();
        for (Wanted { descriptor: Descriptor { digest, .. }, level, .. }, manifest) in manifests {
            if let Some(manifest) = manifest {
                next.extend(children(&manifest, level, &mut seen));
            } else {
                // Something else may still need it.
                seen.remove(&digest);
                refused.insert(digest);
            }
        }
        let levels = &levels;
        for (subject, referrers) in lists.into_iter().filter(|(subject, _)| !refused.contains(subject)) {
            let fresh = referrers
                .into_iter()
                .filter(|referrer| referrer.is_manifest() && seen.insert(referrer.digest.clone()))
                .map(|descriptor| Wanted {
                    descriptor,
                    subject: Some(subject.clone()),
                    level: levels.get(&subject).map_or(1, |level| level + 1),
                });
            next.extend(fresh);
        }
        wanted = next;
    }
    Ok(())
}

fn children(manifest: &Manifest, level: usize, seen: &mut HashSet<Digest>) -> Vec<Wanted> {
    needs::manifests(manifest)
        .filter(|child| seen.insert(child.digest.clone()))
        .map(|child| Wanted { descriptor: child.clone(), subject: None, level })
        .collect()
}

/// The manifest. `None`: it is a referrer that is not to go along; or it is listed as one, but is gone, or is about
/// something else. Registries list such things.
async fn fetch(
    source: &Arc<dyn Store>,
    wanted: &Wanted,
    filter: Option<&ReferrerFilter>,
    permits: &Semaphore,
) -> Result<Option<Manifest>, StoreError> {
    let digest = &wanted.descriptor.digest;
    let manifest = {
        let _permit = permits.acquire().await;
        source.manifest(&Target::Digest(digest.clone())).await?
    };
    match &wanted.subject {
        Some(subject) => {
            let is_about = |manifest: &Manifest| manifest.subject().is_some_and(|named| named.digest == *subject);
            let goes_along = |manifest: &Manifest| filter.is_none_or(|filter| filter.takes(manifest, wanted.level));
            Ok(manifest.filter(|manifest| is_about(manifest) && goes_along(manifest)))
        }
        None if manifest.is_none() => {
            Err(StoreError::Missing { digest: digest.clone(), repository: source.repository().to_string() })
        }
        None => Ok(manifest),
    }
}
