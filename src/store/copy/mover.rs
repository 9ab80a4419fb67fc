//! Brings manifests to the target, each as soon as all that it waits for is there.
//!
//! One loop keeps the books; the requests run as tasks. What a manifest waits for is named by a digest inside of it, so
//! that nothing can wait in a circle.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    panic,
    sync::Arc,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::{
    sync::{Semaphore, mpsc::UnboundedReceiver},
    task::{JoinError, JoinSet},
};

use super::{Copied, before::Before, discover::Found};
use crate::{
    event::Progress,
    oci::{Descriptor, Digest, Manifest, Repository},
    store::{Delivery, Source, Store, StoreError, content, needs},
};

pub(super) struct Mover {
    source: Arc<dyn Store>,
    target: Arc<dyn Store>,
    /// Where the target's registry can take blobs from.
    mount_from: Option<Repository>,
    progress: Progress,
    permits: Arc<Semaphore>,
    before: Arc<Before>,
    tasks: JoinSet<Result<Done, StoreError>>,
    /// What is not at the target yet.
    nodes: HashMap<Digest, Node>,
    /// Every digest that was found, at the target or not.
    found: HashSet<Digest>,
    /// Every blob that was offered, delivered or not.
    offered: HashSet<Digest>,
    met: HashSet<Need>,
    waiting: HashMap<Need, Vec<Digest>>,
    root: Descriptor,
    copied: BTreeSet<Digest>,
    mounted: BTreeSet<Digest>,
    existing: BTreeSet<Digest>,
    referrers: usize,
}

struct Node {
    manifest: Manifest,
    needs: usize,
    existed: bool,
}

/// What a manifest waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Need {
    Blob(Digest),
    /// What an index lists, or a subject that goes along.
    Manifest(Digest),
    /// Whether the target had it before.
    Answer(Digest),
}

enum Done {
    Blob(Digest, Delivery),
    Answer(Digest, bool),
    Pushed(Digest),
}

impl Mover {
    pub(super) fn new(
        source: &Arc<dyn Store>,
        root: &Manifest,
        target: &Arc<dyn Store>,
        progress: &Progress,
        permits: &Arc<Semaphore>,
    ) -> Self {
        Self {
            source: Arc::clone(source),
            target: Arc::clone(target),
            mount_from: mountable(source.repository(), target.repository()).cloned(),
            progress: progress.clone(),
            permits: Arc::clone(permits),
            before: Arc::new(Before::new(target, permits)),
            tasks: JoinSet::new(),
            nodes: HashMap::new(),
            found: HashSet::new(),
            offered: HashSet::new(),
            met: HashSet::new(),
            waiting: HashMap::new(),
            root: root.descriptor(),
            copied: BTreeSet::new(),
            mounted: BTreeSet::new(),
            existing: BTreeSet::new(),
            referrers: 0,
        }
    }

    /// Ends when everything that came through `rx` is at the target. Dropping it stops what is under way.
    pub(super) async fn run(mut self, mut rx: UnboundedReceiver<Found>) -> Result<Copied, StoreError> {
        let mut more = true;
        loop {
            tokio::select! {
                found = rx.recv(), if more => if let Some(found) = found {
                    self.begin(found);
                } else {
                    more = false;
                    self.stop_waiting_for_strangers();
                },
                Some(done) = self.tasks.join_next() => self.note(done)?,
                else => break,
            }
        }
        if let Some(digest) = self.nodes.into_keys().next() {
            return Err(StoreError::Missing { digest, repository: self.target.repository().to_string() });
        }
        Ok(Copied {
            root: self.root,
            copied: self.copied.into_iter().collect(),
            mounted: self.mounted.into_iter().collect(),
            existing: self.existing.into_iter().collect(),
            referrers: self.referrers,
        })
    }

    fn begin(&mut self, found: Found) {
        let digest = found.manifest.digest().clone();
        self.referrers += usize::from(found.is_referrer);
        self.found.insert(digest.clone());
        let blobs = needs::blobs(&found.manifest);
        let fresh: Vec<_> = blobs.filter(|blob| self.offered.insert(blob.digest.clone())).cloned().collect();
        for blob in fresh {
            self.offer(blob);
        }
        let needs: HashSet<Need> = needs::blobs(&found.manifest)
            .map(|blob| Need::Blob(blob.digest.clone()))
            .chain(needs::manifests(&found.manifest).map(|child| Need::Manifest(child.digest.clone())))
            .chain(found.manifest.subject().map(|subject| Need::Manifest(subject.digest.clone())))
            .chain([Need::Answer(digest.clone())])
            .filter(|need| !self.met.contains(need))
            .collect();
        self.nodes
            .insert(digest.clone(), Node { manifest: found.manifest.clone(), needs: needs.len(), existed: false });
        for need in needs {
            self.waiting.entry(need).or_default().push(digest.clone());
        }
        let before = Arc::clone(&self.before);
        self.tasks.spawn(async move { Ok(Done::Answer(digest, before.had(&found).await?)) });
    }

    fn offer(&mut self, blob: Descriptor) {
        let source = content_inside(&blob).unwrap_or_else(|| Source::blob(Arc::clone(&self.source)));
        let source = source.watched(self.progress.clone());
        let (target, permits) = (Arc::clone(&self.target), Arc::clone(&self.permits));
        let from = self.mount_from.clone();
        self.tasks.spawn(async move {
            let _permit = permits.acquire().await;
            let delivery = target.push_blob(&blob, &source, from.as_ref()).await?;
            Ok(Done::Blob(blob.digest, delivery))
        });
    }

    fn note(&mut self, done: Result<Result<Done, StoreError>, JoinError>) -> Result<(), StoreError> {
        let done = match done {
            Ok(done) => done?,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                // The runtime is going down; what was cut off stays in `nodes`.
                Err(_) => return Ok(()),
            },
        };
        match done {
            Done::Blob(digest, delivery) => {
                let deliveries = match delivery {
                    Delivery::Existing => &mut self.existing,
                    Delivery::Mounted => &mut self.mounted,
                    Delivery::Copied => &mut self.copied,
                };
                deliveries.insert(digest.clone());
                self.meet(Need::Blob(digest));
            }
            Done::Answer(digest, existed) => {
                if let Some(node) = self.nodes.get_mut(&digest) {
                    node.existed = existed;
                }
                self.meet(Need::Answer(digest));
            }
            Done::Pushed(digest) => {
                self.copied.insert(digest.clone());
                self.nodes.remove(&digest);
                self.meet(Need::Manifest(digest));
            }
        }
        Ok(())
    }

    /// Lets everything go on that waited for `need` alone.
    fn meet(&mut self, need: Need) {
        let mut needs = vec![need];
        while let Some(need) = needs.pop() {
            let waiting = self.waiting.remove(&need).unwrap_or_default();
            self.met.insert(need);
            for digest in waiting {
                let Some(node) = self.nodes.get_mut(&digest) else {
                    continue;
                };
                node.needs -= 1;
                if node.needs > 0 {
                    continue;
                }
                if node.existed {
                    self.nodes.remove(&digest);
                    self.existing.insert(digest.clone());
                    needs.push(Need::Manifest(digest));
                } else {
                    let manifest = node.manifest.clone();
                    self.push(manifest);
                }
            }
        }
    }

    fn push(&mut self, manifest: Manifest) {
        let (target, permits) = (Arc::clone(&self.target), Arc::clone(&self.permits));
        self.tasks.spawn(async move {
            let _permit = permits.acquire().await;
            target.push_manifest(&manifest, None).await?;
            Ok(Done::Pushed(manifest.digest().clone()))
        });
    }

    /// Everything is found: a subject that was not does not go along.
    fn stop_waiting_for_strangers(&mut self) {
        let is_stranger = |need: &&Need| matches!(need, Need::Manifest(digest) if !self.found.contains(digest));
        let strangers: Vec<_> = self.waiting.keys().filter(is_stranger).cloned().collect();
        for need in strangers {
            self.meet(need);
        }
    }
}

/// The source's repository, where the target's registry can see it.
fn mountable<'a>(source: &'a Repository, target: &Repository) -> Option<&'a Repository> {
    let (there, here) = (source.registry()?, target.registry()?);
    (there.identity() == here.identity() && source.identity() != target.identity()).then_some(source)
}

/// The content that the descriptor carries itself: it need not be fetched.
fn content_inside(blob: &Descriptor) -> Option<Source> {
    let bytes = BASE64_STANDARD.decode(blob.data.as_ref()?).ok()?;
    content::check(blob, &bytes).ok()?;
    Some(Source::bytes(bytes))
}
