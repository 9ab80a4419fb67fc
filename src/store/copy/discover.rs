//! Finds the manifests that a copy takes along, level by level, and hands each on once.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc::UnboundedSender;

use super::{CopyOptions, Standing, before::was_there, listed::Listed};
use crate::{
    oci::{Descriptor, Digest, Manifest, Target},
    store::{
        Store, StoreError, needs,
        walk::{Walk, within_limit},
    },
};

/// A manifest that goes along.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) manifest: Manifest,
    /// Whether it goes along because its subject does.
    pub(super) is_referrer: bool,
    /// Whether the target has it, and lists it where it has a subject. Nothing: that is still to be asked.
    pub(super) is_there: Option<bool>,
}

/// A manifest to fetch.
struct Wanted {
    descriptor: Descriptor,
    /// Whose referrer it is, where it was listed as one.
    subject: Option<Digest>,
    /// How far it is from what is copied: 0 for that, 1 for what refers to it, and so on.
    level: usize,
    /// Whether the target most likely has it.
    is_likely_there: bool,
}

/// Reads the source, and of the target as much as it takes to know what need not be read there.
pub(super) struct Discovery<'a> {
    pub(super) source: &'a Arc<dyn Store>,
    pub(super) target: &'a Arc<dyn Store>,
    pub(super) root: &'a Manifest,
    pub(super) options: &'a CopyOptions,
    /// How much all that was found weighs.
    pub(super) weight: AtomicU64,
    /// Nobody listens any more: then it does not matter what is left.
    pub(super) tx: UnboundedSender<Found>,
}

/// The most that the manifests of one graph may weigh together: they may all be waiting for one another.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

impl Discovery<'_> {
    /// Sends the root and everything that goes along.
    pub(super) async fn run(self, standing: Standing) -> Result<(), StoreError> {
        let root = self.root.digest();
        let mut walk = self.options.referrers.then(|| Walk::new(Arc::clone(self.source), root.clone()));
        let mut listed = Listed::new(self.target, root);
        let mut seen = HashSet::from([root.clone()]);
        let mut count = 1;
        // Every subject that is asked for has its level here.
        let mut levels = HashMap::from([(root.clone(), 0)]);
        let is_asked = self.options.referrers && self.reaches(1);
        let known = self.known(standing);
        // What the root lists need not wait for what refers to it.
        let at_once = known.map(|is_there| children(self.root, 0, is_there, &mut seen)).unwrap_or_default();
        count += at_once.len();
        levels.extend(at_once.iter().map(|child| (child.descriptor.digest.clone(), 0)));
        let digests = at_once.iter().map(|child| child.descriptor.digest.clone());
        let subjects: Vec<_> = std::iter::once(root.clone()).chain(digests).collect();
        let root_lists = async {
            let is_there = match known {
                Some(is_there) => is_there,
                None => self.root_was_there().await?,
            };
            self.hand_on(Found { manifest: self.root.clone(), is_referrer: false, is_there: Some(is_there) })?;
            if is_there && is_asked {
                listed.begin(subjects.clone()).await?;
            }
            Ok::<_, StoreError>(is_there)
        };
        let first = async {
            match &mut walk {
                Some(walk) if is_asked => walk.ask(subjects.clone()).await,
                _ => Ok(Vec::new()),
            }
        };
        let (is_there, mut lists, mut manifests) = futures_util::try_join!(root_lists, first, self.fetch_all(at_once))?;
        // Nothing more where they went at once.
        let mut wanted = children(self.root, 0, is_there, &mut seen);
        loop {
            let is_refused =
                |(wanted, found): &(Wanted, Option<Found>)| found.is_none().then(|| wanted.descriptor.digest.clone());
            let refused: HashSet<_> = manifests.iter().filter_map(is_refused).collect();
            // Something else may still need it.
            for digest in &refused {
                seen.remove(digest);
            }
            for (Wanted { level, .. }, found) in manifests {
                if let Some(Found { manifest, is_there, .. }) = found {
                    wanted.extend(children(&manifest, level, is_there == Some(true), &mut seen));
                }
            }
            for (subject, referrers) in lists.into_iter().filter(|(subject, _)| !refused.contains(subject)) {
                let level = levels.get(&subject).map_or(1, |level| level + 1);
                let fresh = referrers
                    .into_iter()
                    .filter(|referrer| referrer.is_manifest() && seen.insert(referrer.digest.clone()));
                wanted.extend(fresh.map(|descriptor| Wanted {
                    level,
                    is_likely_there: listed.has(&subject, &descriptor.digest),
                    subject: Some(subject.clone()),
                    descriptor,
                }));
            }
            if wanted.is_empty() {
                return Ok(());
            }
            count += wanted.len();
            within_limit(root, count)?;
            // A referrer's own referrers can be asked for before it is here: its digest is enough.
            let asked = wanted.iter().filter(|wanted| self.reaches(wanted.level + 1));
            let asked: Vec<_> = asked.map(|it| (it.descriptor.digest.clone(), it.is_likely_there)).collect();
            levels.extend(wanted.iter().map(|wanted| (wanted.descriptor.digest.clone(), wanted.level)));
            let ask = async {
                match &mut walk {
                    Some(walk) => {
                        let at_source = walk.ask(asked.iter().map(|(digest, _)| digest.clone()).collect());
                        let at_target = listed.ask(asked.iter().cloned());
                        Ok(futures_util::try_join!(at_source, at_target)?.0)
                    }
                    None => Ok(Vec::new()),
                }
            };
            let fetch_all = self.fetch_all(std::mem::take(&mut wanted));
            (lists, manifests) = futures_util::try_join!(ask, fetch_all)?;
        }
    }

    /// Whether any referrer on that level goes along.
    fn reaches(&self, level: usize) -> bool {
        self.options.filter.as_ref().is_none_or(|filter| filter.reaches(level))
    }

    /// Whether the target has the root, where that is known. Whether the subject of one lists it, no tag tells.
    fn known(&self, standing: Standing) -> Option<bool> {
        match standing {
            Standing::Absent if self.root.subject().is_none() => Some(false),
            Standing::Settled if self.root.subject().is_none() => Some(true),
            _ => None,
        }
    }

    async fn root_was_there(&self) -> Result<bool, StoreError> {
        let subject = self.root.subject().map(|subject| (subject.digest.clone(), Arc::default()));
        was_there(self.target, self.root.digest(), subject).await
    }

    fn hand_on(&self, found: Found) -> Result<(), StoreError> {
        let size = found.manifest.bytes().len() as u64;
        let _ = self.tx.send(found);
        if self.weight.fetch_add(size, Ordering::Relaxed) + size <= MAX_BYTES {
            return Ok(());
        }
        let unit = "bytes of manifests";
        Err(StoreError::GraphTooLarge { root: self.root.digest().clone(), limit: MAX_BYTES, unit })
    }

    /// Fetches these and hands them on, and says what became of each.
    async fn fetch_all(&self, wanted: Vec<Wanted>) -> Result<Vec<(Wanted, Option<Found>)>, StoreError> {
        let fetch = |wanted: Wanted| async move {
            let found = self.fetch(&wanted).await?;
            if let Some(found) = &found {
                self.hand_on(found.clone())?;
            }
            Ok((wanted, found))
        };
        stream::iter(wanted).map(fetch).buffered(self.options.concurrency.max(1)).try_collect().await
    }

    /// The manifest. `None`: it is a referrer that is not to go along; or it is listed as one, but is gone, or is about
    /// something else. Registries list such things.
    async fn fetch(&self, wanted: &Wanted) -> Result<Option<Found>, StoreError> {
        let digest = Target::Digest(wanted.descriptor.digest.clone());
        let read = async |store: &Arc<dyn Store>| store.manifest(&digest).await;
        let is_referrer = wanted.subject.is_some();
        let found = |manifest, is_there| Found { manifest, is_referrer, is_there };
        let at_target = if wanted.is_likely_there { read(self.target).await? } else { None };
        let fetched = if let Some(manifest) = at_target {
            // What an index lists may have a subject too, whose list nobody has looked at yet.
            let is_there = (is_referrer || manifest.subject().is_none()).then_some(true);
            Some(found(manifest, is_there))
        } else {
            let is_there = (is_referrer || wanted.is_likely_there).then_some(false);
            read(self.source).await?.map(|manifest| found(manifest, is_there))
        };
        let Some(subject) = &wanted.subject else {
            let Descriptor { digest, .. } = &wanted.descriptor;
            let missing =
                || StoreError::Missing { digest: digest.clone(), repository: self.source.repository().to_string() };
            return fetched.ok_or_else(missing).map(Some);
        };
        let is_about = |manifest: &Manifest| manifest.subject().is_some_and(|named| named.digest == *subject);
        let filter = self.options.filter.as_ref();
        let goes_along = |manifest: &Manifest| filter.is_none_or(|filter| filter.takes(manifest, wanted.level));
        Ok(fetched.filter(|found| is_about(&found.manifest) && goes_along(&found.manifest)))
    }
}

fn children(manifest: &Manifest, level: usize, is_likely_there: bool, seen: &mut HashSet<Digest>) -> Vec<Wanted> {
    needs::manifests(manifest)
        .filter(|child| seen.insert(child.digest.clone()))
        .map(|child| Wanted { descriptor: child.clone(), subject: None, level, is_likely_there })
        .collect()
}
