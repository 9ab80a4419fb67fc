//! A repository in memory: what `rehearse` and tests write to. It is gone when the process is.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, stream};

use super::{
    ByteStream, Condition, ContentError, Delivery, Hosted, Listed, Source, Staged, Store, StoreError,
    memory_registry::Repositories, needs, staged::Content, verified,
};
use crate::oci::{Descriptor, Digest, Manifest, Repository, Tag, Target};

/// One repository in memory.
pub struct MemoryStore {
    repository: Repository,
    /// The repositories of the same embedded registries, to mount from.
    siblings: Weak<Repositories>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    blobs: HashMap<Digest, Bytes>,
    manifests: HashMap<Digest, Manifest>,
    tags: BTreeMap<Tag, Digest>,
    /// By subject, whether it is there or not.
    referrers: HashMap<Digest, BTreeSet<Digest>>,
    is_made: bool,
}

impl MemoryStore {
    /// An empty repository of that name, alone in the world.
    pub fn new(repository: Repository) -> Self {
        Self::beside(repository, Weak::new())
    }

    pub(super) fn beside(repository: Repository, siblings: Weak<Repositories>) -> Self {
        Self { repository, siblings, state: Mutex::default() }
    }

    /// Stores a manifest without asking whether what it needs is there.
    pub(super) fn insert(&self, manifest: &Manifest, tag: Option<&Tag>) {
        self.state().insert(manifest, tag);
    }

    /// Every manifest, sorted by digest.
    pub(super) fn manifests(&self) -> Vec<Manifest> {
        let mut manifests: Vec<_> = self.state().manifests.values().cloned().collect();
        manifests.sort_by(|one, other| one.digest().cmp(other.digest()));
        manifests
    }

    /// Whether anything was ever stored here.
    pub(super) fn is_made(&self) -> bool {
        self.state().is_made
    }

    pub(super) fn keep_blob(&self, digest: &Digest, content: Bytes) {
        let mut state = self.state();
        state.is_made = true;
        state.blobs.entry(digest.clone()).or_insert(content);
    }

    pub(super) fn stored_blob(&self, digest: &Digest) -> Option<Bytes> {
        self.state().blobs.get(digest).cloned()
    }

    /// Every change to the state is whole, so that a panic elsewhere does not spoil it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blob, where `from` is another repository of the same registry and has it.
    fn mountable(&self, digest: &Digest, from: &Repository) -> Option<Bytes> {
        let (here, there) = (self.repository.registry()?, from.registry()?);
        if here.identity() != there.identity() {
            return None;
        }
        self.siblings.upgrade()?.find(from)?.stored_blob(digest)
    }
}

impl State {
    fn find(&self, target: &Target) -> Option<&Manifest> {
        match target {
            Target::Tag(tag) => self.manifests.get(self.tags.get(tag)?),
            Target::Digest(digest) => self.manifests.get(digest),
        }
    }

    fn insert(&mut self, manifest: &Manifest, tag: Option<&Tag>) {
        let digest = manifest.digest();
        self.is_made = true;
        if let Some(subject) = manifest.subject() {
            self.referrers.entry(subject.digest.clone()).or_default().insert(digest.clone());
        }
        if let Some(tag) = tag {
            self.tags.insert(tag.clone(), digest.clone());
        }
        self.manifests.entry(digest.clone()).or_insert_with(|| manifest.clone());
    }

    fn remove(&mut self, digest: &Digest) -> bool {
        let Some(manifest) = self.manifests.remove(digest) else {
            return false;
        };
        self.tags.retain(|_, named| named != digest);
        if let Some(subject) = manifest.subject()
            && let Some(referrers) = self.referrers.get_mut(&subject.digest)
        {
            referrers.remove(digest);
            if referrers.is_empty() {
                self.referrers.remove(&subject.digest);
            }
        }
        true
    }

    fn missing(&self, manifest: &Manifest) -> Option<Digest> {
        let blob = needs::blobs(manifest).find(|blob| !self.blobs.contains_key(&blob.digest));
        let child = || needs::manifests(manifest).find(|child| !self.manifests.contains_key(&child.digest));
        blob.or_else(child).map(|missing| missing.digest.clone())
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn repository(&self) -> &Repository {
        &self.repository
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        Ok(self.state().find(target).map(Manifest::descriptor))
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        Ok(self.state().find(target).cloned())
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(digest) = state.missing(manifest) {
            return Err(StoreError::Missing { digest, repository: self.repository.to_string() });
        }
        state.insert(manifest, tag);
        Ok(())
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        Ok(self.state().tags.keys().cloned().collect())
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let state = self.state();
        let digests = state.referrers.get(subject).into_iter().flatten();
        Ok(digests.filter_map(|digest| state.manifests.get(digest)).map(Manifest::referrer_descriptor).collect())
    }

    async fn roots(&self) -> Result<Vec<Descriptor>, StoreError> {
        let state = self.state();
        let listed: HashSet<&Digest> =
            state.manifests.values().flat_map(Manifest::manifests).map(|child| &child.digest).collect();
        let is_about = |manifest: &Manifest| {
            manifest.subject().is_some_and(|subject| state.manifests.contains_key(&subject.digest))
        };
        let roots = state.manifests.values().filter(|it| !listed.contains(it.digest()) && !is_about(it));
        let mut roots: Vec<_> = roots.map(Manifest::descriptor).collect();
        roots.sort_by(|one, other| one.digest.cmp(&other.digest));
        Ok(roots)
    }

    async fn subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        Ok(Some(self.state().referrers.keys().cloned().collect()))
    }

    async fn listing(&self) -> Result<Option<Vec<Listed>>, StoreError> {
        let state = self.state();
        let mut listing: BTreeMap<_, _> =
            state.manifests.keys().map(|digest| (digest, Listed::new(digest.clone()))).collect();
        for (tag, digest) in &state.tags {
            if let Some(listed) = listing.get_mut(digest) {
                listed.tags.insert(tag.clone());
            }
        }
        Ok(Some(listing.into_values().collect()))
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        Ok(self.state().blobs.contains_key(&blob.digest))
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        let content = self.stored_blob(&blob.digest).ok_or_else(|| StoreError::Missing {
            digest: blob.digest.clone(),
            repository: self.repository.to_string(),
        })?;
        Ok(verified(blob, stream::iter([Ok(content)])))
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        let has_size = |content: &Bytes| match content.len() as u64 {
            size if size == blob.size => Ok(()),
            actual => Err(ContentError::Size { digest: blob.digest.clone(), expected: blob.size, actual }),
        };
        if let Some(content) = self.stored_blob(&blob.digest) {
            has_size(&content)?;
            return Ok(Delivery::Existing);
        }
        let (content, delivery) = match from.and_then(|from| self.mountable(&blob.digest, from)) {
            Some(content) => (content, Delivery::Mounted),
            None => (collect(source.open(blob).await?).await?, Delivery::Copied),
        };
        has_size(&content)?;
        self.keep_blob(&blob.digest, content);
        Ok(delivery)
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        Ok(self.state().tags.remove(tag).is_some())
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.state().remove(digest))
    }
}

#[async_trait]
impl Hosted for MemoryStore {
    async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        Ok(self.stored_blob(digest).map(|content| content.len() as u64))
    }

    async fn blob_range(&self, digest: &Digest, range: Range<u64>) -> Result<Option<ByteStream>, StoreError> {
        let Some(content) = self.stored_blob(digest) else {
            return Ok(None);
        };
        let place = |at: u64| usize::try_from(at).map_or(content.len(), |at| at.min(content.len()));
        let part = content.slice(place(range.start)..place(range.end).max(place(range.start)));
        Ok(Some(Box::pin(stream::iter([Ok(part)]))))
    }

    async fn keep(&self, staged: &Staged, digest: &Digest) -> Result<(), StoreError> {
        match staged.take(digest).await? {
            Content::Bytes(content) => self.keep_blob(digest, content),
            Content::File { path, .. } => {
                let source = Source::file(path.to_path_buf());
                let size = staged.size();
                let content = collect(source.open(&Descriptor::new("", digest.clone(), size)).await?).await?;
                self.keep_blob(digest, content);
            }
        }
        Ok(())
    }

    async fn put_manifest(
        &self,
        manifest: &Manifest,
        target: &Target,
        tags: &[Tag],
        condition: &Condition,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(digest) = state.missing(manifest) {
            return Err(StoreError::Missing { digest, repository: self.repository.to_string() });
        }
        condition.check(state.find(target).map(Manifest::digest))?;
        state.insert(manifest, None);
        for tag in tags {
            state.insert(manifest, Some(tag));
        }
        Ok(())
    }

    async fn remove(&self, target: &Target, condition: &Condition) -> Result<bool, StoreError> {
        let mut state = self.state();
        condition.check(state.find(target).map(Manifest::digest))?;
        Ok(match target {
            Target::Tag(tag) => state.tags.remove(tag).is_some(),
            Target::Digest(digest) => state.remove(digest),
        })
    }

    async fn remove_blob(&self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.state().blobs.remove(digest).is_some())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("repository", &self.repository).finish_non_exhaustive()
    }
}

/// The whole content; what comes in one piece is not copied.
async fn collect(mut stream: ByteStream) -> Result<Bytes, StoreError> {
    let first = stream.try_next().await?.unwrap_or_default();
    let Some(second) = stream.try_next().await? else {
        return Ok(first);
    };
    let mut content = BytesMut::from(first);
    content.extend_from_slice(&second);
    while let Some(piece) = stream.try_next().await? {
        content.extend_from_slice(&piece);
    }
    Ok(content.freeze())
}
