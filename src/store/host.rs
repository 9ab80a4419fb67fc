//! What a server of repositories needs beyond [`Store`]: repositories by name, content that arrives in pieces, parts of
//! blobs, and writes that hold only where nobody else was faster.

use std::{fmt::Debug, ops::Range, sync::Arc};

use async_trait::async_trait;

use super::{ByteStream, Staged, Store, StoreError};
use crate::oci::{Algorithm, Digest, Manifest, RepositoryName, Tag, Target};

/// The repositories of one registry.
#[async_trait]
pub trait Host: Debug + Send + Sync {
    /// The repository, where there is one.
    async fn find(&self, name: &RepositoryName) -> Result<Option<Arc<dyn Hosted>>, StoreError>;

    /// The repository, which its first write makes.
    async fn open(&self, name: &RepositoryName) -> Result<Arc<dyn Hosted>, StoreError>;

    /// Every repository, sorted.
    async fn names(&self) -> Result<Vec<RepositoryName>, StoreError>;

    /// A place for content that is on its way into any of them. `algorithm` is the one that its digest will likely have.
    async fn stage(&self, algorithm: Algorithm) -> Result<Staged, StoreError>;

    /// Gives `to` a blob that `from` has, or without `from` any of them, without moving it. `false`: it is not there.
    async fn mount(
        &self,
        digest: &Digest,
        from: Option<&RepositoryName>,
        to: &RepositoryName,
    ) -> Result<bool, StoreError>;
}

/// One repository of a [`Host`].
#[async_trait]
pub trait Hosted: Store {
    /// The size of a blob in bytes, where it is there. Who asks relies on it: it is not garbage for a while.
    async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, StoreError>;

    /// These bytes of a blob, where it is there. They are not verified: a part has no digest.
    async fn blob_range(&self, digest: &Digest, range: Range<u64>) -> Result<Option<ByteStream>, StoreError>;

    /// Makes staged content the blob of that digest, or fails where it is not, and stores nothing.
    async fn keep(&self, staged: &Staged, digest: &Digest) -> Result<(), StoreError>;

    /// As [`Store::push_manifest`], with any number of tags, all or none, and only where `condition` holds of `target`.
    async fn put_manifest(
        &self,
        manifest: &Manifest,
        target: &Target,
        tags: &[Tag],
        condition: &Condition,
    ) -> Result<(), StoreError>;

    /// Removes a tag, or a manifest and with it every tag that names it, where `condition` holds. `false`: it was not there.
    async fn remove(&self, target: &Target, condition: &Condition) -> Result<bool, StoreError>;

    /// Removes a blob, also one that manifests need. `false`: it was not there.
    async fn remove_blob(&self, digest: &Digest) -> Result<bool, StoreError>;
}

/// What must be true of the manifest that a target names, at the moment of a write.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#section-13.1>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// The target must name one of these.
    pub is: Option<Matches>,
    /// The target must name none of these.
    pub is_not: Option<Matches>,
}

/// Which manifests are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matches {
    /// Whichever there is.
    Any,
    /// One of these.
    Of(Vec<Digest>),
}

impl Condition {
    /// Whether it holds where the target names `current`.
    pub fn holds(&self, current: Option<&Digest>) -> bool {
        let has = |matches: &Matches| match matches {
            Matches::Any => current.is_some(),
            Matches::Of(digests) => current.is_some_and(|current| digests.contains(current)),
        };
        self.is.as_ref().is_none_or(has) && !self.is_not.as_ref().is_some_and(has)
    }

    pub(super) fn check(&self, current: Option<&Digest>) -> Result<(), StoreError> {
        if self.holds(current) { Ok(()) } else { Err(StoreError::Condition { current: current.cloned() }) }
    }
}
