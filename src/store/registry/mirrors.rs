//! Reading content that is named by its digest from mirrors first.
//!
//! A mirror gives nothing but bytes, verified as all bytes are: whether something is there, where a tag points and what
//! refers to a manifest only the registry itself knows.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;

use super::{RegistryError, RegistryStore, Request, Scope, answer::Incoming, manifests, registry::Registry};
use crate::{
    oci::{Descriptor, Digest, Hasher, Manifest, RepositoryName, Target},
    store::{ByteStream, ContentError, StoreError, read, verified},
};

/// The mirrors of one repository.
#[derive(Debug)]
pub(super) struct Mirrors {
    /// In the order in which they are asked.
    list: Vec<Mirror>,
    /// Manifests that one of them gave.
    found: Mutex<HashSet<Digest>>,
}

/// What a repository is called at one mirror.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) registry: Arc<Registry>,
    pub(super) name: RepositoryName,
}

/// Until when a mirror that has failed is left alone.
#[derive(Debug, Default)]
pub(super) struct Rest(Mutex<Option<Instant>>);

/// Content of up to this size is read whole before any of it is handed on, so that wrong bytes hurt nobody.
const SMALL: u64 = 1024 * 1024;

impl Rest {
    /// Long enough not to be waited for with each blob, short enough to be of use again in a long run.
    const LENGTH: Duration = Duration::from_mins(1);

    fn is_resting(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + Self::LENGTH);
    }
}

impl Mirrors {
    pub(super) fn new(list: Vec<Mirror>) -> Self {
        Self { list, found: Mutex::default() }
    }

    fn is_found(&self, digest: &Digest) -> bool {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    fn awake(&self) -> impl Iterator<Item = &Mirror> {
        self.list.iter().filter(|mirror| !mirror.registry.rest.is_resting())
    }
}

impl Mirror {
    /// Nothing: it does not have it.
    async fn manifest(&self, digest: &Digest) -> Result<Option<Manifest>, StoreError> {
        let target = Target::Digest(digest.clone());
        let request = manifests::request(&self.registry, &self.name, Method::GET, &target)?;
        manifests::read(self.registry.send(&request.single()).await?, &target)
    }

    /// Nothing: it does not have it.
    async fn blob(&self, blob: &Descriptor) -> Result<Option<ByteStream>, StoreError> {
        let url = self.registry.url(&self.name, &["blobs", &blob.digest.to_string()])?;
        let request = Request::new(Method::GET, url, Scope::pull(&self.name)).streamed().single();
        let answer = self.registry.send(&request).await?;
        let content = match answer.status {
            StatusCode::OK => whole(blob, answer.incoming),
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(answer.refused().into()),
        };
        if blob.size > SMALL {
            return Ok(Some(content));
        }
        let bytes = read(blob, content, SMALL).await?;
        Ok(Some(Box::pin(stream::iter([Ok(bytes)]))))
    }
}

/// What comes in one answer, verified. Where it breaks off it ends: somebody else can be asked.
fn whole(blob: &Descriptor, incoming: Option<Incoming>) -> ByteStream {
    let pieces = stream::try_unfold(incoming, |incoming| async move {
        let Some(mut incoming) = incoming else { return Ok(None) };
        match incoming.piece().await {
            Ok(piece) => Ok(piece.map(|piece| (piece, Some(incoming)))),
            Err(problem) => Err(RegistryError::new(&Method::GET, &incoming.url, problem).into()),
        }
    });
    verified(blob, pieces)
}

impl RegistryStore {
    /// The manifest, where a mirror has it.
    pub(super) async fn mirrored_manifest(&self, digest: &Digest) -> Option<Manifest> {
        if let Some(known) = self.registry.known.content(digest).filter(|_| self.mirrors.is_found(digest)) {
            return Some(known);
        }
        for mirror in self.mirrors.awake() {
            match mirror.manifest(digest).await {
                Ok(Some(manifest)) => {
                    self.registry.known.keep(&manifest);
                    self.mirrors.found.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone());
                    return Some(manifest);
                }
                Ok(None) => {}
                Err(_) => mirror.registry.rest.begin(),
            }
        }
        None
    }

    /// The content, where a mirror has it. Should the mirror fail on the way, the registry goes on.
    pub(super) async fn mirrored_blob(&self, blob: &Descriptor) -> Option<ByteStream> {
        for mirror in self.mirrors.awake() {
            match mirror.blob(blob).await {
                Ok(Some(content)) if blob.size > SMALL => return Some(self.guarded(blob, mirror, content)),
                Ok(Some(content)) => return Some(content),
                Ok(None) => {}
                Err(_) => mirror.registry.rest.begin(),
            }
        }
        None
    }

    fn guarded(&self, blob: &Descriptor, mirror: &Mirror, content: ByteStream) -> ByteStream {
        let guard = Guard {
            store: self.clone(),
            mirror: Some(Arc::clone(&mirror.registry)),
            blob: blob.clone(),
            hasher: Hasher::new(blob.digest.algorithm()),
            given: 0,
            content,
        };
        Box::pin(stream::try_unfold(
            guard,
            |mut guard| async move { Ok(guard.piece().await?.map(|piece| (piece, guard))) },
        ))
    }
}

/// A blob on its way from a mirror, and then perhaps from the registry.
struct Guard {
    store: RegistryStore,
    /// As long as the content comes from it.
    mirror: Option<Arc<Registry>>,
    blob: Descriptor,
    /// What was handed on.
    hasher: Hasher,
    /// In bytes.
    given: u64,
    content: ByteStream,
}

impl Guard {
    async fn piece(&mut self) -> Result<Option<Bytes>, StoreError> {
        match (self.content.try_next().await, &self.mirror) {
            (Ok(piece), _) => {
                if let Some(piece) = &piece {
                    self.hasher.update(piece);
                    self.given += piece.len() as u64;
                }
                Ok(piece)
            }
            (Err(error), None) => Err(error),
            (Err(_), Some(mirror)) => {
                mirror.rest.begin();
                self.mirror = None;
                self.go_on().await
            }
        }
    }

    /// The next piece from the registry, where what was handed on until now was right.
    async fn go_on(&mut self) -> Result<Option<Bytes>, StoreError> {
        let digest = || self.blob.digest.clone();
        // The mirror's connection is not needed any more.
        self.content = Box::pin(stream::empty());
        let mut content = self.store.open_blob(&self.blob).await?;
        let mut before = Hasher::new(self.blob.digest.algorithm());
        let mut left = self.given;
        let mut rest = Bytes::new();
        while left > 0 {
            let Some(mut piece) = content.next().await.transpose()? else { break };
            rest = piece.split_off(piece.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            left -= piece.len() as u64;
            before.update(&piece);
        }
        if before.finish() != self.hasher.clone().finish() {
            // Whoever tries again gets all of it from the registry.
            let message = "a mirror gave something else".to_owned();
            return Err(ContentError::BrokenOff { digest: digest(), message }.into());
        }
        self.content = content;
        if rest.is_empty() { self.content.try_next().await } else { Ok(Some(rest)) }
    }
}

#[cfg(test)]
mod tests;
