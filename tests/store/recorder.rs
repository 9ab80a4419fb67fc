//! A store that keeps a record of what it was asked.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use consign::{
    oci::{Descriptor, Digest, Manifest, Repository, Tag, Target},
    store::{ByteStream, Delivery, Source, Store, StoreError},
};

/// A question or an order, by what it was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Resolve(Target),
    Manifest(Target),
    PushManifest(Digest),
    Referrers(Digest),
    Subjects,
    HasBlob(Digest),
    Blob(Digest),
    PushBlob(Digest, Option<Repository>),
    Other,
}

#[derive(Debug)]
pub(super) struct Recorder {
    inner: Arc<dyn Store>,
    calls: Mutex<Vec<Call>>,
    running: AtomicUsize,
    most: AtomicUsize,
    /// What it lists as referrers beside those that are.
    strangers: Vec<(Digest, Descriptor)>,
}

impl Recorder {
    pub(super) fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Self::listing(inner, Vec::new())
    }

    /// One that lists more referrers than there are, by subject.
    pub(super) fn listing(inner: Arc<dyn Store>, strangers: Vec<(Digest, Descriptor)>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            calls: Mutex::default(),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            strangers,
        })
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(super) fn count(&self, is_meant: impl Fn(&Call) -> bool) -> usize {
        self.calls().iter().filter(|call| is_meant(call)).count()
    }

    pub(super) fn forget(&self) {
        self.calls.lock().unwrap().clear();
    }

    /// How many calls ran at the same time, at most.
    pub(super) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    async fn record<T>(&self, call: Call, answer: impl Future<Output = T>) -> T {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        // Lets everything else that may run begin.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let answer = answer.await;
        self.calls.lock().unwrap().push(call);
        self.running.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}

#[async_trait]
impl Store for Recorder {
    fn repository(&self) -> &Repository {
        self.inner.repository()
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.record(Call::Resolve(target.clone()), self.inner.resolve(target)).await
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.record(Call::Manifest(target.clone()), self.inner.manifest(target)).await
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        self.record(Call::PushManifest(manifest.digest().clone()), self.inner.push_manifest(manifest, tag)).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.record(Call::Other, self.inner.tags()).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let mut referrers = self.record(Call::Referrers(subject.clone()), self.inner.referrers(subject)).await?;
        let strangers = self.strangers.iter().filter(|(about, _)| about == subject);
        referrers.extend(strangers.map(|(_, stranger)| stranger.clone()));
        Ok(referrers)
    }

    async fn subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        self.record(Call::Subjects, self.inner.subjects()).await
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        self.record(Call::HasBlob(blob.digest.clone()), self.inner.has_blob(blob)).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        self.record(Call::Blob(blob.digest.clone()), self.inner.blob(blob)).await
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        let call = Call::PushBlob(blob.digest.clone(), from.cloned());
        self.record(call, self.inner.push_blob(blob, source, from)).await
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        self.record(Call::Other, self.inner.untag(tag)).await
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.record(Call::Other, self.inner.delete_manifest(digest)).await
    }
}
