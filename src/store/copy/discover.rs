//! Finds the manifests that a copy takes along, level by level, and hands each on once.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{Semaphore, mpsc::UnboundedSender};

use super::CopyOptions;
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
}

/// The most that the manifests of one graph may weigh together: they may all be waiting for one another.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// Sends `root` and everything that goes along. Nobody listens any more: then it does not matter what is left.
pub(super) async fn discover(
    source: &Arc<dyn Store>,
    root: &Manifest,
    options: CopyOptions,
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
    let mut subjects = vec![root.digest().clone()];
    let mut wanted = children(root, &mut seen);
    while !(subjects.is_empty() && wanted.is_empty()) {
        count += wanted.len();
        within_limit(root.digest(), count)?;
        // A referrer's own referrers can be asked for before it is here: its digest is enough.
        subjects.extend(wanted.iter().map(|wanted| wanted.descriptor.digest.clone()));
        let ask = async {
            match &mut walk {
                Some(walk) => walk.ask(std::mem::take(&mut subjects)).await,
                None => Ok(Vec::new()),
            }
        };
        let hand_on = &hand_on;
        let fetch_all = stream::iter(wanted)
            .map(|wanted| async move {
                let manifest = fetch(source, &wanted, permits).await?;
                if let Some(manifest) = &manifest {
                    hand_on(manifest, wanted.subject.is_some())?;
                }
                Ok((wanted.descriptor.digest, manifest))
            })
            .buffered(options.concurrency.max(1))
            .try_collect::<Vec<_>>();
        let (lists, manifests) = tokio::try_join!(ask, fetch_all)?;
        subjects.clear();
        let mut refused = HashSet::new();
        let mut next = Vec::new();
        for (digest, manifest) in manifests {
            if let Some(manifest) = manifest {
                next.extend(children(&manifest, &mut seen));
            } else {
                // Something else may still need it.
                seen.remove(&digest);
                refused.insert(digest);
            }
        }
        for (subject, referrers) in lists.into_iter().filter(|(subject, _)| !refused.contains(subject)) {
            let fresh = referrers
                .into_iter()
                .filter(|referrer| referrer.is_manifest() && seen.insert(referrer.digest.clone()))
                .map(|descriptor| Wanted { descriptor, subject: Some(subject.clone()) });
            next.extend(fresh);
        }
        wanted = next;
    }
    Ok(())
}

fn children(manifest: &Manifest, seen: &mut HashSet<Digest>) -> Vec<Wanted> {
    needs::manifests(manifest)
        .filter(|child| seen.insert(child.digest.clone()))
        .map(|child| Wanted { descriptor: child.clone(), subject: None })
        .collect()
}

/// The manifest. `None`: it is listed as a referrer, but is gone, or is about something else. Registries list such things.
async fn fetch(source: &Arc<dyn Store>, wanted: &Wanted, permits: &Semaphore) -> Result<Option<Manifest>, StoreError> {
    let digest = &wanted.descriptor.digest;
    let manifest = {
        let _permit = permits.acquire().await;
        source.manifest(&Target::Digest(digest.clone())).await?
    };
    match &wanted.subject {
        Some(subject) => {
            Ok(manifest.filter(|manifest| manifest.subject().is_some_and(|named| named.digest == *subject)))
        }
        None if manifest.is_none() => {
            Err(StoreError::Missing { digest: digest.clone(), repository: source.repository().to_string() })
        }
        None => Ok(manifest),
    }
}
