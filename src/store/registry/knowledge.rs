//! What a run knows about a registry and its repositories, so that nothing is asked twice.
//!
//! Content never changes under its digest. Where tags point and which manifests are there may: `forget` drops it.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use super::{
    ReferrersMode,
    arrivals::Arrivals,
    flights::Flights,
    old_lists::OldLists,
    session::Way,
    single_post::SinglePost,
    subject_list::{Seen, SubjectList},
    turns::Turns,
};
use crate::oci::{Descriptor, Digest, Manifest, RepositoryName, Tag};

/// What is known about one registry, under whatever name it is asked.
#[derive(Debug, Default)]
pub(super) struct RegistryKnowledge {
    manifests: Mutex<ManifestCache>,
    holders: Mutex<HashMap<Digest, BTreeSet<RepositoryName>>>,
    referrers_api: Mutex<Option<bool>>,
    is_api_sure: bool,
    /// Held by whoever finds out about the referrers API.
    pub(super) probing: AsyncMutex<()>,
    tag_deletes_off: AtomicBool,
    mounts: Mutex<Option<bool>>,
    /// Blobs that are being pushed to any repository.
    pub(super) bringing: Turns<Digest>,
    upload_way: Mutex<Option<Way>>,
    /// Whether small blobs are taken in one request.
    pub(super) single_post: SinglePost,
    parts_off: AtomicBool,
    repositories: Mutex<HashMap<RepositoryName, Arc<RepositoryKnowledge>>>,
}

/// Which manifests have lists of referrers. Nothing: the tags do not tell.
pub(super) type Subjects = Option<Arc<HashSet<Digest>>>;

/// What is known about one repository.
#[derive(Debug, Default)]
pub(super) struct RepositoryKnowledge {
    contents: Mutex<Contents>,
    /// Blobs that are being pushed.
    pub(super) pushing: Turns<Digest>,
    /// Whether the registry lists what is pushed here without being told; nothing: nobody has looked yet.
    pub(super) lists_itself: AsyncMutex<Option<bool>>,
    /// Referrers that are being pushed.
    pub(super) arrivals: Arrivals,
    /// Lists of referrers that are being read.
    pub(super) reading_lists: Flights<Digest, Vec<Descriptor>>,
    /// Tags that are being listed.
    pub(super) reading_tags: Flights<(), (BTreeSet<Tag>, bool)>,
    /// What the tag schema listed before the registry had the API.
    pub(super) old_lists: OldLists,
    /// Questions for which manifests have lists of referrers, answered with when that was asked.
    pub(super) asking_for_lists: Flights<(), (Instant, Subjects)>,
    /// Whether the tags were found not to tell which lists there are.
    is_silent_on_lists: AtomicBool,
    writes_lists: AtomicBool,
    seen: Mutex<HashMap<Digest, Seen>>,
    lists: Mutex<HashMap<Digest, Arc<SubjectList>>>,
}

#[derive(Debug, Default)]
struct Contents {
    /// Manifests that are there.
    manifests: HashMap<Digest, Descriptor>,
    /// Manifests that this run has pushed, and listed where they have a subject.
    pushed: HashSet<Digest>,
    /// Tags that this run has written.
    tags: HashMap<Tag, Digest>,
}

/// Manifests by digest, the oldest dropped first.
#[derive(Debug, Default)]
struct ManifestCache {
    manifests: HashMap<Digest, Manifest>,
    order: VecDeque<Digest>,
    bytes: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RegistryKnowledge {
    pub(super) fn new(referrers: ReferrersMode) -> Self {
        let referrers_api = match referrers {
            ReferrersMode::Auto => None,
            ReferrersMode::Api => Some(true),
            ReferrersMode::Tag => Some(false),
        };
        Self {
            referrers_api: Mutex::new(referrers_api),
            is_api_sure: referrers == ReferrersMode::Api,
            ..Self::default()
        }
    }

    /// Whether the plan says that the registry has the referrers API.
    pub(super) const fn is_api_sure(&self) -> bool {
        self.is_api_sure
    }

    pub(super) fn repository(&self, name: &RepositoryName) -> Arc<RepositoryKnowledge> {
        Arc::clone(lock(&self.repositories).entry(name.clone()).or_default())
    }

    pub(super) fn forget(&self) {
        for repository in lock(&self.repositories).values() {
            repository.forget();
        }
    }

    /// The manifest of that digest, if it was seen anywhere in this registry.
    pub(super) fn content(&self, digest: &Digest) -> Option<Manifest> {
        lock(&self.manifests).manifests.get(digest).cloned()
    }

    pub(super) fn keep(&self, manifest: &Manifest) {
        lock(&self.manifests).keep(manifest, ManifestCache::LIMIT);
    }

    /// A repository that has the blob, the one named `preferred` before others.
    pub(super) fn holder(&self, blob: &Digest, preferred: Option<&RepositoryName>) -> Option<RepositoryName> {
        let holders = lock(&self.holders);
        let holders = holders.get(blob)?;
        preferred.filter(|preferred| holders.contains(*preferred)).or_else(|| holders.first()).cloned()
    }

    pub(super) fn has_blob(&self, repository: &RepositoryName, blob: &Digest) -> bool {
        lock(&self.holders).get(blob).is_some_and(|holders| holders.contains(repository))
    }

    pub(super) fn blob_is_there(&self, repository: &RepositoryName, blob: &Digest) {
        lock(&self.holders).entry(blob.clone()).or_default().insert(repository.clone());
    }

    pub(super) fn blob_is_gone(&self, repository: &RepositoryName, blob: &Digest) {
        if let Some(holders) = lock(&self.holders).get_mut(blob) {
            holders.remove(repository);
        }
    }

    /// Whether the registry takes blobs from one of its repositories for another, where that was seen.
    pub(super) fn mounts(&self) -> Option<bool> {
        *lock(&self.mounts)
    }

    /// Once is enough: whoever may not read the other repository is not given its blobs.
    pub(super) fn learn_mounts(&self, has_mounted: bool) {
        let mut mounts = lock(&self.mounts);
        *mounts = Some(has_mounted || *mounts == Some(true));
    }

    /// How a blob of that size is sent at first.
    pub(super) fn upload_way(&self, size: u64) -> Way {
        match *lock(&self.upload_way) {
            Some(Way::Chunks(chunk)) if size <= chunk => Way::Whole,
            Some(way) => way,
            None if size > Way::STREAMED => Way::Stream,
            None => Way::Whole,
        }
    }

    /// The registry has refused what was tried before.
    pub(super) fn learn_upload_way(&self, way: Way) {
        *lock(&self.upload_way) = Some(way);
    }

    /// Whether it makes sense to go on with what broke off.
    pub(super) fn takes_chunks(&self) -> bool {
        *lock(&self.upload_way) != Some(Way::Whole)
    }

    /// Whether it makes sense to ask for a blob in parts.
    pub(super) fn gives_parts(&self) -> bool {
        !self.parts_off.load(Ordering::Relaxed)
    }

    /// The registry does not give blobs in parts, or no faster so.
    pub(super) fn learn_no_parts(&self) {
        self.parts_off.store(true, Ordering::Relaxed);
    }

    /// Whether the registry has the referrers API, where that is known.
    pub(super) fn referrers_api(&self) -> Option<bool> {
        *lock(&self.referrers_api)
    }

    /// The first answer counts: a registry that has it does not lose it.
    pub(super) fn learn_referrers_api(&self, is_there: bool) {
        lock(&self.referrers_api).get_or_insert(is_there);
    }

    pub(super) fn deletes_tags(&self) -> bool {
        !self.tag_deletes_off.load(Ordering::Relaxed)
    }

    pub(super) fn refuses_tag_deletes(&self) {
        self.tag_deletes_off.store(true, Ordering::Relaxed);
    }
}

impl RepositoryKnowledge {
    pub(super) fn forget(&self) {
        *lock(&self.contents) = Contents::default();
    }

    /// Where a tag points that this run has written.
    pub(super) fn tag(&self, tag: &Tag) -> Option<Digest> {
        lock(&self.contents).tags.get(tag).cloned()
    }

    /// A manifest that is there.
    pub(super) fn manifest(&self, digest: &Digest) -> Option<Descriptor> {
        lock(&self.contents).manifests.get(digest).cloned()
    }

    pub(super) fn manifest_is_there(&self, manifest: Descriptor) {
        lock(&self.contents).manifests.insert(manifest.digest.clone(), manifest);
    }

    /// The manifest is gone, and with it the tags that named it.
    pub(super) fn manifest_is_gone(&self, digest: &Digest) {
        {
            let mut contents = lock(&self.contents);
            contents.manifests.remove(digest);
            contents.pushed.remove(digest);
            contents.tags.retain(|_, target| target != digest);
        }
        // Nobody needs to find it any more.
        for list in self.all_lists() {
            list.1.withdraw(std::slice::from_ref(digest));
        }
    }

    pub(super) fn was_pushed(&self, digest: &Digest) -> bool {
        lock(&self.contents).pushed.contains(digest)
    }

    pub(super) fn is_pushed(&self, manifest: Descriptor, tag: Option<&Tag>) {
        let mut contents = lock(&self.contents);
        contents.pushed.insert(manifest.digest.clone());
        if let Some(tag) = tag {
            contents.tags.insert(tag.clone(), manifest.digest.clone());
        }
        contents.manifests.insert(manifest.digest.clone(), manifest);
    }

    pub(super) fn tag_is_gone(&self, tag: &Tag) {
        lock(&self.contents).tags.remove(tag);
    }

    /// Whether it is no use to ask the tags which lists of referrers there are.
    pub(super) fn is_silent_on_lists(&self) -> bool {
        self.is_silent_on_lists.load(Ordering::Relaxed)
    }

    /// The tags do not tell which lists of referrers there are: they are too many, or cut.
    pub(super) fn tags_are_silent_on_lists(&self) {
        self.is_silent_on_lists.store(true, Ordering::Relaxed);
    }

    /// Whether this run keeps lists of referrers here itself.
    pub(super) fn writes_lists(&self) -> bool {
        self.writes_lists.load(Ordering::Relaxed)
    }

    /// The list of `subject`, which this run writes.
    pub(super) fn list_to_write(&self, subject: &Digest) -> Arc<SubjectList> {
        self.writes_lists.store(true, Ordering::Relaxed);
        self.list(subject)
    }

    /// The list of what this run attaches to `subject`.
    pub(super) fn list(&self, subject: &Digest) -> Arc<SubjectList> {
        Arc::clone(lock(&self.lists).entry(subject.clone()).or_default())
    }

    /// The list of `subject` was seen.
    pub(super) fn saw_list(&self, subject: &Digest, seen: Seen) {
        lock(&self.seen).insert(subject.clone(), seen);
    }

    /// The list of `subject` as it was seen last, which is then forgotten.
    pub(super) fn take_seen_list(&self, subject: &Digest) -> Option<Seen> {
        lock(&self.seen).remove(subject)
    }

    /// The list of what this run has attached to `subject`, if it has attached anything.
    pub(super) fn own_list(&self, subject: &Digest) -> Option<Arc<SubjectList>> {
        lock(&self.lists).get(subject).cloned()
    }

    pub(super) fn all_lists(&self) -> Vec<(Digest, Arc<SubjectList>)> {
        lock(&self.lists).iter().map(|(subject, list)| (subject.clone(), Arc::clone(list))).collect()
    }
}

impl ManifestCache {
    /// Enough for tens of thousands of manifests as they are, bounded for those that are not.
    const LIMIT: usize = 64 * 1024 * 1024;

    /// Keeps the manifest, and at most `limit` bytes in all.
    fn keep(&mut self, manifest: &Manifest, limit: usize) {
        let digest = manifest.digest();
        if self.manifests.insert(digest.clone(), manifest.clone()).is_some() {
            return;
        }
        self.order.push_back(digest.clone());
        self.bytes += manifest.bytes().len();
        while self.bytes > limit {
            let Some(oldest) = self.order.pop_front() else { return };
            let dropped = self.manifests.remove(&oldest);
            self.bytes -= dropped.map_or(0, |manifest| manifest.bytes().len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Index;

    fn manifest(size: usize) -> Manifest {
        let annotations = [("x".to_owned(), "x".repeat(size))].into();
        Manifest::from_index(Index { annotations, ..Index::new(Vec::new()) }).unwrap()
    }

    #[test]
    fn the_oldest_manifests_make_room() {
        let mut cache = ManifestCache::default();
        let all: Vec<_> = (0..20).map(|size| manifest(400 + size)).collect();
        for manifest in &all {
            cache.keep(manifest, 5000);
            cache.keep(manifest, 5000);
        }
        assert!(cache.bytes <= 5000 && cache.order.len() > 5 && cache.order.len() == cache.manifests.len());
        assert!(!cache.manifests.contains_key(all[0].digest()) && cache.manifests.contains_key(all[19].digest()));
    }

    #[test]
    fn a_manifest_goes_with_its_tags() {
        let known = RepositoryKnowledge::default();
        let (one, two) = (manifest(1).descriptor(), manifest(2).descriptor());
        let tag = |text: &str| text.parse::<Tag>().unwrap();
        known.is_pushed(one.clone(), Some(&tag("a")));
        known.is_pushed(one.clone(), Some(&tag("b")));
        known.is_pushed(two.clone(), Some(&tag("c")));
        known.manifest_is_gone(&one.digest);
        assert_eq!((known.tag(&tag("a")), known.tag(&tag("b"))), (None, None));
        assert_eq!(known.tag(&tag("c")), Some(two.digest.clone()));
        assert!(known.manifest(&one.digest).is_none() && !known.was_pushed(&one.digest));
        known.forget();
        assert!(known.tag(&tag("c")).is_none() && known.manifest(&two.digest).is_none());
    }
}
