use std::{fmt, io, path::PathBuf, time::Duration};

use super::{
    OutOfPatience,
    registry::{RegistryError, RegistryProblem},
};
use crate::{
    oci::{Digest, ManifestError},
    text,
};

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
    /// A repository has more manifests than consign is willing to look at.
    #[error("`{repository}` has more than {limit} manifests")]
    RepositoryTooLarge {
        /// The repository.
        repository: String,
        /// How many are looked at.
        limit: usize,
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
    /// What may pass did not, as often and as long as the plan's `retry` says.
    #[error("{source} ({})", Tried { tries: *.tries, over: *.over, out: *.out })]
    GaveUp {
        /// How often it was tried.
        tries: u32,
        /// From the first try to the last.
        over: Duration,
        /// The wait that there was no time left for, where that is why.
        out: Option<OutOfPatience>,
        /// How the last try failed.
        source: Box<StoreError>,
    },
}

struct Tried {
    tries: u32,
    over: Duration,
    out: Option<OutOfPatience>,
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
            Self::GaveUp { source, .. } => source.retry_after(),
            _ => None,
        }
    }

    /// Whether there is no patience left for another try.
    pub fn is_given_up(&self) -> bool {
        match self {
            Self::Registry(error) => matches!(error.problem, RegistryProblem::Peace(_)),
            Self::GaveUp { .. } => true,
            _ => false,
        }
    }

    /// Whether a registry had too much of this client.
    pub fn is_throttled(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_throttled(),
            Self::GaveUp { source, .. } => source.is_throttled(),
            _ => false,
        }
    }

    /// What failed, and how: the method and the URL of a request, and what became of it.
    pub fn request_and_reason(&self) -> (String, String) {
        match self {
            Self::Registry(error) => (format!("{} {}", error.method, error.url), error.problem.to_string()),
            Self::GaveUp { source, .. } => source.request_and_reason(),
            _ => (String::new(), self.to_string()),
        }
    }

    /// What else there is to know, one line each.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Registry(error) => error.notes(),
            Self::GaveUp { source, .. } => source.notes(),
            _ => Vec::new(),
        }
    }

    /// What a person can do about it.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Registry(error) => return error.help(),
            Self::GaveUp { out: Some(out), .. } if out.is_run => {
                "run again later, or give the run more time: `defaults.retry.budget` is that of a step, and a run has 6 of them"
            }
            Self::GaveUp { out: Some(_), .. } => {
                "run again later, or give it more time: `retry: { budget: … }` of the step or of `defaults`"
            }
            Self::GaveUp { source, .. } if source.is_throttled() => {
                "run again later, or ask less of the registry: `concurrency` and `rate` under `registries`"
            }
            Self::GaveUp { .. } => {
                "run again later; `retry: { max: … }` of the step or of `defaults` says how often it is tried"
            }
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// Whether something came that is not what was asked for. Asking again gives the same.
    pub fn is_content(&self) -> bool {
        match self {
            Self::Content(_) | Self::Manifest(_) => !self.is_temporary(),
            Self::Registry(error) => error.is_content(),
            _ => false,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Registry(error) => error.is_temporary(),
            Self::GaveUp { source, .. } => source.is_temporary(),
            Self::Content(ContentError::BrokenOff { .. }) => true,
            Self::Missing { .. }
            | Self::Content(_)
            | Self::Manifest(_)
            | Self::Condition { .. }
            | Self::Closed
            | Self::Io { .. }
            | Self::GraphTooLarge { .. }
            | Self::RepositoryTooLarge { .. }
            | Self::Layout { .. } => false,
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tries {
            1 => f.write_str("tried once")?,
            tries => write!(f, "tried {tries} times over {}", text::duration(self.over))?,
        }
        let Some(out) = self.out else { return Ok(()) };
        let (wait, budget) = (text::duration(out.wait), text::duration(out.budget));
        let whose = if out.is_run { "all steps together wait" } else { "a step waits" };
        write!(f, "; the next try is {wait} away, and {whose} no longer than {budget} in all")
    }
}
