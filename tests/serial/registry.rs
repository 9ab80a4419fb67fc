//! A registry in memory that remembers what was ever pushed, and that can be made to answer late.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use consign::{
    oci::{Descriptor, Digest, Manifest, Repository, Tag, Target},
    store::{ByteStream, Delivery, MemoryRegistry, Source, Store, StoreError, Stores},
};
use futures_util::{FutureExt, future::BoxFuture};

/// Repositories in memory. Clones share them.
#[derive(Clone)]
pub(super) struct Registry {
    memory: MemoryRegistry,
    hook: Arc<Hook>,
    opened: Arc<Mutex<BTreeMap<Repository, Arc<Hooked>>>>,
}

/// What happens before and after each answer of a store.
type Hook = dyn Fn(Call) -> BoxFuture<'static, ()> + Send + Sync;

/// A question or an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) what: What,
    /// The repository's name.
    pub(super) to: String,
    /// Whether it is done; otherwise it is about to be.
    pub(super) answered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Push,
    /// The push of a manifest with a subject.
    Attach,
    Tags,
    Referrers,
    Other,
}

/// Everything that can be seen of a repository from outside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    tags: BTreeMap<String, String>,
    manifests: BTreeSet<String>,
    referrers: BTreeMap<String, Vec<String>>,
}

impl Registry {
    /// One where something happens before and after each answer.
    pub(super) fn hooked(hook: impl Fn(Call) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self { memory: MemoryRegistry::default(), hook: Arc::new(hook), opened: Arc::default() }
    }

    pub(super) fn prompt() -> Self {
        Self::hooked(|_| ready(()).boxed())
    }

    /// One whose answers let others run before them: how many, follows from `seed`.
    pub(super) fn late(seed: u64) -> Self {
        let calls = AtomicU64::new(0);
        Self::hooked(move |_| wait(seed, calls.fetch_add(1, Ordering::Relaxed)).boxed())
    }

    pub(super) fn stores(&self) -> Stores {
        let registry = self.clone();
        Stores::custom(move |repository| registry.open(repository))
    }

    fn open(&self, repository: &Repository) -> Arc<dyn Store> {
        let store = Arc::new(Hooked {
            inner: self.memory.repository(repository),
            hook: Arc::clone(&self.hook),
            pushed: Mutex::default(),
        });
        self.opened.lock().unwrap().insert(repository.identity(), Arc::clone(&store));
        store
    }

    pub(super) async fn content(&self) -> BTreeMap<String, Content> {
        let opened: Vec<_> = self.opened.lock().unwrap().clone().into_iter().collect();
        let mut contents = BTreeMap::new();
        for (repository, store) in opened {
            let content = store.content().await;
            // Whether a repository that is empty was ever asked for, nobody can tell.
            if !content.manifests.is_empty() || !content.tags.is_empty() {
                contents.insert(repository.to_string(), content);
            }
        }
        contents
    }
}

async fn wait(seed: u64, call: u64) {
    // SplitMix64: neighbours differ in every bit.
    let mut random = seed.wrapping_add(call.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    random = (random ^ (random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    random = (random ^ (random >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    random ^= random >> 31;
    // Mostly short, sometimes so long that everybody else is done first.
    let turns = if random.is_multiple_of(4) { 60 } else { (random >> 8) % 6 };
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

struct Hooked {
    inner: Arc<dyn Store>,
    hook: Arc<Hook>,
    /// Every digest that a manifest was ever pushed with.
    pushed: Mutex<BTreeSet<Digest>>,
}

impl Hooked {
    async fn content(&self) -> Content {
        let mut content = Content { tags: BTreeMap::new(), manifests: BTreeSet::new(), referrers: BTreeMap::new() };
        for tag in self.inner.tags().await.unwrap() {
            let manifest = self.inner.resolve(&Target::Tag(tag.clone())).await.unwrap();
            content.tags.insert(tag.to_string(), manifest.unwrap().digest.to_string());
        }
        let pushed = self.pushed.lock().unwrap().clone();
        for digest in pushed {
            if self.inner.resolve(&Target::Digest(digest.clone())).await.unwrap().is_some() {
                content.manifests.insert(digest.to_string());
            }
        }
        for subject in self.inner.subjects().await.unwrap().unwrap_or_default() {
            let referrers = self.inner.referrers(&subject).await.unwrap();
            let described = referrers.iter().map(|referrer| format!("{referrer:?}")).collect();
            content.referrers.insert(subject.to_string(), described);
        }
        content
    }

    async fn answer<T>(&self, what: What, answer: impl Future<Output = T>) -> T {
        let call = Call { what, to: self.repository().to_string(), answered: false };
        (self.hook)(call.clone()).await;
        let answer = answer.await;
        (self.hook)(Call { answered: true, ..call }).await;
        answer
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Store for Hooked {
    fn repository(&self) -> &Repository {
        self.inner.repository()
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.answer(What::Other, self.inner.resolve(target)).await
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.answer(What::Other, self.inner.manifest(target)).await
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        self.pushed.lock().unwrap().insert(manifest.digest().clone());
        self.answer(
            if manifest.subject().is_some() { What::Attach } else { What::Push },
            self.inner.push_manifest(manifest, tag),
        )
        .await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.answer(What::Tags, self.inner.tags()).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.answer(What::Referrers, self.inner.referrers(subject)).await
    }

    async fn subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        self.answer(What::Other, self.inner.subjects()).await
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        self.answer(What::Other, self.inner.has_blob(blob)).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        self.answer(What::Other, self.inner.blob(blob)).await
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        self.answer(What::Other, self.inner.push_blob(blob, source, from)).await
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        self.answer(What::Other, self.inner.untag(tag)).await
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.answer(What::Other, self.inner.delete_manifest(digest)).await
    }
}
