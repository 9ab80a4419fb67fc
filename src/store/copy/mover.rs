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
    sync::mpsc::UnboundedReceiver,
    task::{JoinError, JoinSet},
};

use super::{
    Copied, CopyOptions, Standing,
    before::{List, was_there},
    discover::Found,
    queue::{Queue, Rank},
};
use crate::{
    event::Progress,
    oci::{Descriptor, Digest, Manifest, Repository},
    store::{Delivery, Source, Store, StoreError, content, needs, patience},
};

pub(super) struct Mover {
    source: Arc<dyn Store>,
    target: Arc<dyn Store>,
    /// Where the target's registry can take blobs from.
    mount_from: Option<Repository>,
    progress: Progress,
    queue: Queue<Result<Done, StoreError>>,
    /// Lists of referrers that are being written.
    listing: JoinSet<Result<(), StoreError>>,
    /// Which manifests belong together: a referrer goes with its subject, and the root's own are all apart.
    families: HashMap<Digest, u64>,
    /// What is not at the target yet.
    nodes: HashMap<Digest, Node>,
    /// Every digest that was found, at the target or not.
    found: HashSet<Digest>,
    /// Every blob that was offered, delivered or not.
    offered: HashSet<Digest>,
    /// What the target lists as referrers of what has children among them, by subject.
    lists: HashMap<Digest, List>,
    /// How many referrers of a subject are still to be pushed.
    unpushed: HashMap<Digest, usize>,
    /// Under how many subjects something is to be listed; nothing: not everything is found.
    subjects: Option<usize>,
    met: HashSet<Need>,
    waiting: HashMap<Need, HashSet<Digest>>,
    /// Whether what a manifest of the target needs is there as well.
    is_settled: bool,
    root: Descriptor,
    /// Whether the root is pushed only where something that goes along waits for it.
    leaves_root: bool,
    copied: BTreeSet<Digest>,
    mounted: BTreeSet<Digest>,
    existing: BTreeSet<Digest>,
    referrers: usize,
}

struct Node {
    manifest: Manifest,
    needs: usize,
    existed: bool,
    /// Whether its subject waits for it to be listed.
    is_counted: bool,
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
        options: &CopyOptions,
        standing: Standing,
    ) -> Self {
        Self {
            source: Arc::clone(source),
            target: Arc::clone(target),
            mount_from: Some(source.repository()).filter(|from| is_beside(from, target.repository())).cloned(),
            progress: progress.clone(),
            queue: Queue::new(options.concurrency),
            listing: JoinSet::new(),
            families: HashMap::new(),
            nodes: HashMap::new(),
            found: HashSet::new(),
            offered: HashSet::new(),
            lists: HashMap::new(),
            unpushed: HashMap::new(),
            subjects: None,
            met: HashSet::new(),
            waiting: HashMap::new(),
            is_settled: standing == Standing::Settled,
            root: root.descriptor(),
            // What is about something else is listed there, for which it must be pushed.
            leaves_root: options.leaves_root && root.subject().is_none(),
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
                    self.subjects = Some(self.unpushed.len());
                    for subject in self.unpushed.keys().cloned().collect::<Vec<_>>() {
                        self.list(&subject);
                    }
                },
                Some(done) = self.queue.next() => if let Some(done) = ended(done)? { self.note(done); },
                Some(listed) = self.listing.join_next() => ended(listed).map(drop)?,
                else => break,
            }
        }
        if self.leaves_root && self.nodes.get(&self.root.digest).is_some_and(|root| root.needs == 0) {
            self.nodes.remove(&self.root.digest);
            self.copied.insert(self.root.digest.clone());
        }
        if let Some(digest) = self.nodes.into_keys().next() {
            return Err(StoreError::Missing { digest, repository: self.target.repository().to_string() });
        }
        // What one manifest was believed to have, another may have brought.
        self.existing.retain(|digest| !self.copied.contains(digest) && !self.mounted.contains(digest));
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
        let subject = found.manifest.subject().map(|subject| subject.digest.clone());
        let family = subject.as_ref().filter(|subject| **subject != self.root.digest);
        let family = family.and_then(|subject| self.families.get(subject)).copied();
        self.families.insert(digest.clone(), family.unwrap_or(self.families.len() as u64));
        let needs: HashSet<Need> = needs::blobs(&found.manifest)
            .map(|blob| Need::Blob(blob.digest.clone()))
            .chain(needs::manifests(&found.manifest).map(|child| Need::Manifest(child.digest.clone())))
            .chain(found.manifest.subject().map(|subject| Need::Manifest(subject.digest.clone())))
            .chain([Need::Answer(digest.clone())])
            .filter(|need| !self.met.contains(need))
            .collect();
        let is_counted = found.is_there == Some(false) && subject.is_some();
        if let Some(subject) = subject.filter(|_| is_counted) {
            *self.unpushed.entry(subject).or_default() += 1;
        }
        let node = Node { manifest: found.manifest, needs: needs.len(), existed: false, is_counted };
        self.nodes.insert(digest.clone(), node);
        for need in needs {
            self.waiting.entry(need).or_default().insert(digest.clone());
        }
        match found.is_there {
            Some(is_there) => self.answer(&digest, is_there),
            None => self.ask(digest.clone()),
        }
        // The root was ready, but nothing had waited for it.
        if let Some(root) = self.nodes.get(&self.root.digest).filter(|root| self.leaves_root && root.needs == 0)
            && digest != self.root.digest
            && self.is_awaited(&self.root.digest)
        {
            let root = root.manifest.clone();
            self.leaves_root = false;
            self.push(root);
        }
    }

    fn is_awaited(&self, manifest: &Digest) -> bool {
        self.waiting.contains_key(&Need::Manifest(manifest.clone()))
    }

    /// Asks whether the target had the manifest.
    fn ask(&mut self, digest: Digest) {
        let subject = self.nodes.get(&digest).and_then(|node| node.manifest.subject());
        let subject = subject.map(|subject| subject.digest.clone()).map(|subject| {
            let list = Arc::clone(self.lists.entry(subject.clone()).or_default());
            (subject, list)
        });
        let target = Arc::clone(&self.target);
        self.queue.push(Rank::First, async move {
            let existed = was_there(&target, &digest, subject).await?;
            Ok(Done::Answer(digest, existed))
        });
    }

    /// Notes whether the target had the manifest.
    fn answer(&mut self, digest: &Digest, existed: bool) {
        if existed && self.is_settled {
            self.believe(digest);
        } else if let Some(node) = self.nodes.get_mut(digest) {
            node.existed = existed;
            let blobs = needs::blobs(&node.manifest);
            let fresh: Vec<_> = blobs.filter(|blob| self.offered.insert(blob.digest.clone())).cloned().collect();
            let rank = Rank::Family(self.families.get(digest).copied().unwrap_or_default());
            for blob in fresh {
                self.offer(rank, blob, existed);
            }
        }
        self.meet(Need::Answer(digest.clone()));
    }

    /// Takes it that the blobs of a manifest are there: whoever else needs them asks all the same.
    fn believe(&mut self, digest: &Digest) {
        let Some(node) = self.nodes.get_mut(digest) else { return };
        node.existed = true;
        for blob in needs::blobs(&node.manifest) {
            let waiting = self.waiting.get_mut(&Need::Blob(blob.digest.clone()));
            node.needs -= usize::from(waiting.is_some_and(|waiting| waiting.remove(digest)));
            self.existing.insert(blob.digest.clone());
        }
    }

    /// Brings a blob. Where the target had its manifest, it most likely has the blob too: then it is asked, and nothing
    /// is written. Otherwise the blob is sent or mounted without asking.
    fn offer(&mut self, rank: Rank, blob: Descriptor, is_likely_there: bool) {
        let source = content_inside(&blob).unwrap_or_else(|| Source::blob(Arc::clone(&self.source)));
        let source = source.watched(self.progress.clone());
        let (target, from) = (Arc::clone(&self.target), self.mount_from.clone());
        self.queue.push(rank, async move {
            if is_likely_there && target.has_blob(&blob).await? {
                return Ok(Done::Blob(blob.digest, Delivery::Existing));
            }
            let delivery = target.push_blob(&blob, &source, from.as_ref()).await?;
            Ok(Done::Blob(blob.digest, delivery))
        });
    }

    fn note(&mut self, done: Done) {
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
            Done::Answer(digest, existed) => self.answer(&digest, existed),
            Done::Pushed(digest) => {
                self.copied.insert(digest.clone());
                let subject = self.nodes.remove(&digest).filter(|node| node.is_counted).and_then(|node| {
                    let subject = node.manifest.subject()?.digest.clone();
                    *self.unpushed.get_mut(&subject)? -= 1;
                    Some(subject)
                });
                self.meet(Need::Manifest(digest));
                if let Some(subject) = subject {
                    self.list(&subject);
                }
            }
        }
    }

    /// Lets everything go on that waited for `need` alone.
    fn meet(&mut self, need: Need) {
        let mut needs = vec![need];
        while let Some(need) = needs.pop() {
            let waiting = self.waiting.remove(&need).unwrap_or_default();
            self.met.insert(need);
            for digest in waiting {
                let is_held = self.leaves_root && digest == self.root.digest && !self.is_awaited(&digest);
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
                } else if !is_held {
                    self.leaves_root &= digest != self.root.digest;
                    let manifest = node.manifest.clone();
                    self.push(manifest);
                }
            }
        }
    }

    fn push(&mut self, manifest: Manifest) {
        let target = Arc::clone(&self.target);
        self.queue.push(Rank::First, async move {
            target.push_manifest(&manifest, None).await?;
            Ok(Done::Pushed(manifest.digest().clone()))
        });
    }

    /// Lists what was pushed to a subject, once that is all.
    fn list(&mut self, subject: &Digest) {
        let Some(lists) = self.subjects.filter(|_| self.unpushed.get(subject) == Some(&0)) else { return };
        self.unpushed.remove(subject);
        let (target, subject) = (Arc::clone(&self.target), subject.clone());
        // Beside the queue: the shorter a list takes from reading to writing, the less can come between.
        self.listing.spawn(patience::carried(async move { target.list_pushed_to(&subject, lists).await }));
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

/// What a task has said. Nothing: the runtime is going down; what was cut off stays in `nodes`.
fn ended<T>(done: Result<Result<T, StoreError>, JoinError>) -> Result<Option<T>, StoreError> {
    match done {
        Ok(done) => done.map(Some),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panic::resume_unwind(panic),
            Err(_) => Ok(None),
        },
    }
}

/// Whether the registry of `target` can take blobs from `source`: it is another of its repositories.
pub fn is_beside(source: &Repository, target: &Repository) -> bool {
    let (Some(there), Some(here)) = (source.registry(), target.registry()) else { return false };
    there.identity() == here.identity() && source.identity() != target.identity()
}

/// The content that the descriptor carries itself: it need not be fetched.
fn content_inside(blob: &Descriptor) -> Option<Source> {
    let bytes = BASE64_STANDARD.decode(blob.data.as_ref()?).ok()?;
    content::check(blob, &bytes).ok()?;
    Some(Source::bytes(bytes))
}
