use std::{io, path::PathBuf, time::Duration};

use super::registry::RegistryError;
use crate::oci::{Digest, ManifestError};

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Content that must be there is not.
    #[error("`{digest}` is not in {repository}")]
    Missing {
        /// The content.
        digest: Digest,
        /// Where it was looked for.
        repository: String,
    },
    /// The content is not what its descriptor says.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The bytes are no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Somebody else was faster.
    #[error("it was to be written only if nobody else had, and somebody has")]
    Condition {
        /// What is there instead.
        current: Option<Digest>,
    },
    /// The upload was finished or given up already.
    #[error("the upload has ended")]
    Closed,
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// More manifests hang together than consign is willing to follow.
    #[error("the graph of `{root}` has more than {limit} {unit}")]
    GraphTooLarge {
        /// Where the graph begins.
        root: Digest,
        /// How many are followed.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// A file of an image layout is not what the specification says.
    #[error("{}: {message}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A registry, or the way to it, failed.
    #[error(transparent)]
    Registry(#[from] Box<RegistryError>),
}

/// How content differs from its descriptor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Too short or too long. A stream that is too long is cut at the first byte too many.
    #[error("`{digest}` should have {expected} bytes, but {actual} came")]
    Size {
        /// The content that was wanted.
        digest: Digest,
        /// In bytes.
        expected: u64,
        /// In bytes; for content that is too long, how many had come when it was noticed.
        actual: u64,
    },
    /// Of the right size, but something else.
    #[error("`{expected}` was wanted, but `{actual}` came")]
    Digest {
        /// The content that was wanted.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// More than the reader is willing to hold in memory.
    #[error("`{digest}` has {size} bytes; at most {limit} are read here")]
    TooLarge {
        /// The content.
        digest: Digest,
        /// In bytes.
        size: u64,
        /// In bytes.
        limit: u64,
    },
    /// The transport broke off.
    #[error("`{digest}` broke off: {message}")]
    BrokenOff {
        /// The content.
        digest: Digest,
        /// What the transport said.
        message: String,
    },
}

impl From<RegistryError> for StoreError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}

impl StoreError {
    /// How long a registry asked to wait before the next try, where it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Registry(error) => error.retry_after(),
            _ => None,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_temporary(),
            Self::Content(ContentError::BrokenOff { .. }) => true,
            Self::Missing { .. }
            | Self::Content(_)
            | Self::Manifest(_)
            | Self::Condition { .. }
            | Self::Closed
            | Self::Io { .. }
            | Self::GraphTooLarge { .. }
            | Self::Layout { .. } => false,
        }
    }
}
