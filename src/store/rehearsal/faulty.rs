use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;

use super::{Faults, fault::FaultKind};
use crate::{
    oci::{Descriptor, Digest, Manifest, RegistryName, Repository, RepositoryName, Tag, Target},
    store::{
        ByteStream, Delivery, Listed, Source, Store, StoreError,
        registry::{self, Cooldown, Pace, RegistryError, RegistryProblem, Tries},
    },
};

/// A repository to which the way is bad: what a registry and the network do, done to requests that would have held. What may
/// pass is tried again as it is with a real one, with the patience of the step.
#[derive(Debug, Clone)]
pub(super) struct Faulty {
    inner: Arc<dyn Store>,
    faults: Arc<Faults>,
    registry: RegistryName,
    name: RepositoryName,
    cooldown: Cooldown,
}

/// A blob that breaks off and is gone on with.
struct Download {
    store: Faulty,
    blob: Descriptor,
    tries: Tries,
    content: Option<ByteStream>,
    /// How much has come.
    delivered: u64,
    /// How much of the content comes again.
    again: u64,
    /// Where it breaks off next.
    cut: Option<u64>,
}

impl Faulty {
    pub(super) fn new(
        inner: Arc<dyn Store>,
        faults: &Arc<Faults>,
        registry: &RegistryName,
        name: &RepositoryName,
    ) -> Self {
        let faults = Arc::clone(faults);
        Self { inner, faults, registry: registry.clone(), name: name.clone(), cooldown: Cooldown::default() }
    }

    fn start(&self) -> Tries {
        Pace::immediate().start(&self.cooldown)
    }

    fn error(&self, method: Method, what: &str, problem: RegistryProblem) -> StoreError {
        let scheme = if self.registry.is_loopback() { "http" } else { "https" };
        let url = format!("{scheme}://{}/v2/{}/{what}", self.registry, self.name);
        RegistryError { method, url, problem }.into()
    }

    fn broken(&self, method: Method, what: &str, message: &str) -> StoreError {
        self.error(method, what, RegistryProblem::Network { message: message.to_owned() })
    }

    /// Waits before the next try, or fails as a real request does.
    async fn again(&self, tries: &mut Tries, error: StoreError) -> Result<(), StoreError> {
        tries.again(error).await?;
        self.faults.tried_again();
        Ok(())
    }

    /// Makes a request as often as it is refused.
    async fn reach(&self, method: Method, what: &str) -> Result<(), StoreError> {
        let mut tries = self.start();
        self.reach_with(&mut tries, method, what).await
    }

    async fn reach_with(&self, tries: &mut Tries, method: Method, what: &str) -> Result<(), StoreError> {
        while let Some(status) = self.faults.refuse(&self.registry) {
            let problem = RegistryProblem::Refused {
                status,
                messages: Vec::new(),
                retry_after: Some(Duration::ZERO),
                access: None,
            };
            self.again(tries, self.error(method.clone(), what, problem)).await?;
        }
        Ok(())
    }
}

fn blob_path(blob: &Descriptor) -> String {
    format!("blobs/{}", blob.digest)
}

#[async_trait]
impl Store for Faulty {
    fn repository(&self) -> &Repository {
        self.inner.repository()
    }

    async fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.reach(Method::HEAD, &format!("manifests/{target}")).await?;
        self.inner.resolve(target).await
    }

    async fn manifest(&self, target: &Target) -> Result<Option<Manifest>, StoreError> {
        self.reach(Method::GET, &format!("manifests/{target}")).await?;
        self.inner.manifest(target).await
    }

    async fn push_manifest(&self, manifest: &Manifest, tag: Option<&Tag>) -> Result<(), StoreError> {
        let what = match tag {
            Some(tag) => format!("manifests/{tag}"),
            None => format!("manifests/{}", manifest.digest()),
        };
        let mut tries = self.start();
        loop {
            self.reach_with(&mut tries, Method::PUT, &what).await?;
            self.inner.push_manifest(manifest, tag).await?;
            if !self.faults.strike(FaultKind::LostManifest, &self.registry) {
                return Ok(());
            }
            let error = self.broken(Method::PUT, &what, "the connection was closed before the answer came");
            self.again(&mut tries, error).await?;
        }
    }

    async fn list_pushed(&self) -> Result<(), StoreError> {
        self.inner.list_pushed().await
    }

    async fn list_pushed_to(&self, subject: &Digest, lists: usize) -> Result<(), StoreError> {
        self.inner.list_pushed_to(subject, lists).await
    }

    async fn tags(&self) -> Result<Vec<Tag>, StoreError> {
        self.reach(Method::GET, "tags/list").await?;
        self.inner.tags().await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        self.reach(Method::GET, &format!("referrers/{subject}")).await?;
        self.inner.referrers(subject).await
    }

    async fn subjects(&self) -> Result<Option<HashSet<Digest>>, StoreError> {
        self.inner.subjects().await
    }

    async fn listing(&self) -> Result<Option<Vec<Listed>>, StoreError> {
        if registry::lists_manifests(&self.registry) {
            self.reach(Method::GET, "_manifests").await?;
        }
        self.inner.listing().await
    }

    fn attached(&self, subject: &Digest) -> Vec<Digest> {
        self.inner.attached(subject)
    }

    async fn has_blob(&self, blob: &Descriptor) -> Result<bool, StoreError> {
        self.reach(Method::HEAD, &blob_path(blob)).await?;
        self.inner.has_blob(blob).await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<ByteStream, StoreError> {
        let mut tries = self.start();
        self.reach_with(&mut tries, Method::GET, &blob_path(blob)).await?;
        let content = self.inner.blob(blob).await?;
        if !self.faults.strike(FaultKind::CutDownload, &self.registry) {
            return Ok(content);
        }
        let download = Download {
            store: self.clone(),
            blob: blob.clone(),
            tries,
            content: Some(content),
            delivered: 0,
            again: 0,
            cut: Some(blob.size / 2),
        };
        Ok(Box::pin(stream::try_unfold(download, |mut download| async {
            let piece = download.next().await?;
            Ok(piece.map(|piece| (piece, download)))
        })))
    }

    async fn push_blob(
        &self,
        blob: &Descriptor,
        source: &Source,
        from: Option<&Repository>,
    ) -> Result<Delivery, StoreError> {
        let mut tries = self.start();
        loop {
            self.reach_with(&mut tries, Method::POST, "blobs/uploads/").await?;
            // What is there or mounted is not sent, so that it cannot break off.
            let is_sent = from.is_none() && !self.inner.has_blob(blob).await?;
            if !(is_sent && self.faults.strike(FaultKind::CutUpload, &self.registry)) {
                return self.inner.push_blob(blob, source, from).await;
            }
            drop(source.open(blob).await?.next().await.transpose()?);
            let error = self.broken(Method::PATCH, "blobs/uploads/", "the connection was reset while content was sent");
            self.again(&mut tries, error).await?;
        }
    }

    async fn untag(&self, tag: &Tag) -> Result<bool, StoreError> {
        self.reach(Method::DELETE, &format!("manifests/{tag}")).await?;
        self.inner.untag(tag).await
    }

    async fn delete_manifest(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.reach(Method::DELETE, &format!("manifests/{digest}")).await?;
        self.inner.delete_manifest(digest).await
    }

    async fn unlist(&self, subject: &Digest, referrers: &[Digest]) -> Result<(), StoreError> {
        self.inner.unlist(subject, referrers).await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.inner.settle().await
    }
}

impl Download {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            if self.cut.is_some_and(|cut| self.delivered >= cut) {
                self.break_off().await?;
            }
            let content = match &mut self.content {
                Some(content) => content,
                None => self.content.insert(self.store.inner.blob(&self.blob).await?),
            };
            let Some(mut piece) = content.try_next().await? else { return Ok(None) };
            let known = usize::try_from(self.again).unwrap_or(usize::MAX).min(piece.len());
            piece.advance(known);
            self.again -= known as u64;
            if let Some(cut) = self.cut {
                piece.truncate(usize::try_from(cut - self.delivered).unwrap_or(usize::MAX));
            }
            if !piece.is_empty() {
                self.delivered += piece.len() as u64;
                return Ok(Some(piece));
            }
        }
    }

    /// What comes next begins from the beginning, or breaks off again a little further on.
    async fn break_off(&mut self) -> Result<(), StoreError> {
        let message = format!("the connection was reset after {} of {} bytes", self.delivered, self.blob.size);
        let error = self.store.broken(Method::GET, &blob_path(&self.blob), &message);
        self.store.again(&mut self.tries, error).await?;
        self.content = None;
        self.again = self.delivered;
        let is_cut_again = self.store.faults.strike(FaultKind::CutDownload, &self.store.registry);
        self.cut = is_cut_again.then_some(self.delivered + (self.blob.size - self.delivered) / 2);
        Ok(())
    }
}
