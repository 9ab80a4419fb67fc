use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use crate::{
    event::{Change, Rights},
    oci::{Descriptor, Digest, Manifest, Repository, Tag, Target},
    store::{ByteStream, Delivery, Listed, Source, Store, StoreError, patience::Patience, registry},
};

/// A repository that remembers what was changed in it, and what was asked of it.
#[derive(Debug)]
pub(super) struct Recorder {
    inner: Arc<dyn Store>,
    record: Mutex<Record>,
    /// Where the tags pointed when something was first deleted that had been there before: they go with their manifests.
    names: OnceCell<BTreeMap<Tag, Digest>>,
}

#[derive(Debug, Default)]
struct Record {
    rights: Rights,
    traces: BTreeMap<Target, Trace>,
    /// What each step changed, in order.
    log: Vec<(String, Change)>,
}

/// What became of a tag or a manifest.
#[derive(Debug)]
struct Trace {
    before: Option<Digest>,
    after: Option<Digest>,
    is_changed: bool,
}

/// How many tags are looked at together.
const TOGETHER: usize = 16;

impl Recorder {
    pub(super) fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, record: Mutex::default(), names: OnceCell::new() }
    }

    /// The same repository without anybody who watches.
    pub(super) const fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    /// What steps did, in the words of rights.
    pub(super) fn rights(&self) -> Rights {
        self.record().rights
    }

    /// What is different now, and what came and went: tags before manifests, sorted.
    pub(super) fn changes(&self) -> Vec<Change> {
        let record = self.record();
        let traces = record.traces.iter().filter(|(_, trace)| trace.is_changed);
        let changes = traces.map(|(target, trace)| Change {
            target: target.clone(),
            before: trace.before.clone(),
            after: trace.after.clone(),
        });
        changes.filter(|change| change.before.is_none() || change.before != change.after).collect()
    }

    /// What that step changed, in order.
    pub(super) fn changes_of(&self, step: &str) -> Vec<Change> {
        let record = self.record();
        record.log.iter().filter(|(by, _)| by == step).map(|(_, change)| change.clone()).collect()
    }

    /// Every change to it is whole, so that a panic elsewhere does not spoil it.
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn need(&self, rights: Rights) {
        let mut record = self.record();
        record.rights = record.rights | rights;
    }

    /// Notes what `target` names, the first time that it may change.
    async fn look(&self, target: &Target) -> Result<(), StoreError> {
        if self.record().traces.contains_key(target) {
            return Ok(());
        }
        let before = self.inner.resolve(target).await?.map(|found| found.digest);
        // Whoever was faster saw the same, or something that was changed since.
        self.record().traces.entry(target.clone()).or_insert_with(|| Trace::untouched(before));
        Ok(())
    }

    /// Notes that `target` names `after` now.
    fn note(&self, target: Target, after: Option<&Digest>) {
        let mut record = self.record();
        let trace = record.traces.entry(target.clone()).or_insert_with(|| Trace::untouched(None));
        let before = std::mem::replace(&mut trace.after, after.cloned());
        trace.is_changed = true;
        record.log(Change { target, before, after: after.cloned() });
    }

    async fn names(&self) -> Result<&BTreeMap<Tag, Digest>, StoreError> {
        let ask = || async {
            stream::iter(self.inner.tags().await?)
                .map(|tag| async move {
                    let found = self.inner.resolve(&Target::Tag(tag.clone())).await?;
                    Ok(found.map(|found| (tag, found.digest)))
                })
                .buffer_unordered(TOGETHER)
                .try_filter_map(|named| async { Ok(named) })
                .try_collect()
                .await
        };
        self.names.get_or_try_init(ask).await
    }
}

impl Record {
    fn was_there(&self, digest: &Digest) -> bool {
        self.traces.get(&Target::Digest(digest.clone())).is_some_and(|trace| trace.before.is_some())
    }

    /// The manifest is gone, and so is every tag that named it.
    fn note_deleted(&mut self, digest: &Digest, names: Option<&BTreeMap<Tag, Digest>>) {
        for (tag, named) in names.into_iter().flatten() {
            let trace = self.traces.entry(Target::Tag(tag.clone()));
            trace.or_insert_with(|| Trace::untouched(Some(named.clone())));
        }
        let mut gone = Vec::new();
        for (target, trace) in self.traces.iter_mut().filter(|(_, trace)| trace.after.as_ref() == Some(digest)) {
            gone.push(Change { target: target.clone(), before: trace.after.take(), after: None });
            trace.is_changed = true;
        }
        for change in gone {
            self.log(change);
        }
    }

    /// Notes who changed something, where anything is different.
    fn log(&mut self, change: Change) {
        let patience = Patience::current();
        if let Some(step) = patience.step().filter(|_| change.before != change.after) {
            self.log.push((step.name().to_owned(), change));
        }
    }
}

impl Trace {
    fn untouched(before: Option<Digest>) -> Self {
        Self { after: before.clone(), before, is_changed: false }
    }
}

#[async_trait]
impl Store for Recorder {
    fn repository(&self) -> &Repository {
        self.inner.repository()
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.need(Rights::PULL);
        self.inner.resolve(target).await
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.need(Rights::PULL);
        self.inner.manifest(target).await
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        self.need(Rights::PUSH);
        let digest = manifest.digest();
        let targets = tag.cloned().map(Target::Tag).into_iter().chain([Target::Digest(digest.clone())]);
        let targets: Vec<_> = targets.collect();
        for target in &targets {
            self.look(target).await?;
        }
        self.inner.push_manifest(manifest, tag).await?;
        for target in targets {
            self.note(target, Some(digest));
        }
        Ok(())
    }

    async fn list_pushed(&self) -> Result<(), StoreError> {
        self.inner.list_pushed().await
    }

    async fn list_pushed_to(&self, subject: &Digest, lists: usize) -> Result<(), StoreError> {
        self.inner.list_pushed_to(subject, lists).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.need(Rights::PULL);
        self.inner.tags().await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.need(Rights::PULL);
        self.inner.referrers(subject).await
    }

    async fn roots(&self) -> Result<Vec<Descriptor>, StoreError> {
        self.need(Rights::PULL);
        self.inner.roots().await
    }

    async fn subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        self.inner.subjects().await
    }

    async fn listing(&self) -> Result<Option<Vec<Listed>>, StoreError> {
        self.need(Rights::PULL);
        // What stands in for a registry knows no more than that does.
        match self.repository().registry() {
            Some(registry) if !registry::lists_manifests(registry) => Ok(None),
            _ => self.inner.listing().await,
        }
    }

    fn attached(&self, subject: &Digest) -> Vec<Digest> {
        self.inner.attached(subject)
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        self.need(Rights::PULL);
        self.inner.has_blob(blob).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        self.need(Rights::PULL);
        self.inner.blob(blob).await
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        self.need(Rights::PUSH);
        self.inner.push_blob(blob, source, from).await
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        self.need(Rights::DELETE);
        let target = Target::Tag(tag.clone());
        self.look(&target).await?;
        let was_there = self.inner.untag(tag).await?;
        if was_there {
            self.note(target, None);
        }
        Ok(was_there)
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.need(Rights::DELETE);
        let target = Target::Digest(digest.clone());
        self.look(&target).await?;
        let was_there_before = self.record().was_there(digest);
        let names = if was_there_before { Some(self.names().await?) } else { None };
        let was_there = self.inner.delete_manifest(digest).await?;
        if was_there {
            self.record().note_deleted(digest, names);
        }
        Ok(was_there)
    }

    async fn unlist(&self, subject: &Digest, referrers: &[Digest]) -> Result<(), StoreError> {
        self.inner.unlist(subject, referrers).await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.inner.settle().await
    }
}
