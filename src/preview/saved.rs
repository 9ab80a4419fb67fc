use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::oci::Digest;

/// What a run would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preview {
    /// Of the format, 1.
    pub consign_plan: u32,
    /// The plan's name, or its file's.
    pub plan: String,
    /// Every step, in file order.
    pub steps: Vec<StepPreview>,
    /// Every repository that steps have to do with, sorted.
    pub repositories: Vec<RepositoryPreview>,
}

/// What a step would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepPreview {
    /// Its id.
    pub step: String,
    /// Its kind.
    pub kind: String,
    /// What it would do, in a word.
    pub change: Verdict,
    /// Why it is unknown, fails or is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Of the manifest that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The tags that it moves, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Moved>,
    /// The manifests that go, sorted: `repository@digest`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<String>,
}

/// What would become of something, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It would be made.
    Create,
    /// It would be changed.
    Update,
    /// It is as it should be.
    Unchanged,
    /// It would be removed.
    Delete,
    /// It is looked at.
    Read,
    /// It is not to run.
    Skip,
    /// That is known only when it has run.
    Unknown,
    /// It could not be done.
    Fail,
}

/// A tag, and where it points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// `repository:tag`
    pub tag: String,
    /// Now, where it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// Afterwards, where it would be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
}

/// What the run as a whole would do in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryPreview {
    /// Under the name under which it is asked for.
    pub repository: String,
    /// What whoever runs the plan must be allowed to do there: `pull`, `push`, `delete`.
    pub rights: Vec<String>,
    /// The manifests that would come, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub creates: Vec<Digest>,
    /// The manifests that would go, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<Digest>,
}

/// Why a file of what was approved cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not what `consign plan --out` writes: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The largest file that is read, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;

impl Verdict {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 8] =
        [Self::Create, Self::Update, Self::Delete, Self::Unknown, Self::Fail, Self::Unchanged, Self::Read, Self::Skip];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Unchanged => "unchanged",
            Self::Delete => "delete",
            Self::Read => "read",
            Self::Skip => "skip",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }

    /// Whether something may be different afterwards.
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete | Self::Unknown)
    }
}

impl Preview {
    /// The version of the format.
    pub const VERSION: u32 = 1;

    /// Whether a run would, or might, change anything.
    pub fn is_pending(&self) -> bool {
        self.steps.iter().any(|step| step.change.is_pending())
    }

    /// As it is saved.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).map_or_else(|_| String::new(), |json| json + "\n")
    }

    /// Reads what was saved.
    pub fn read(path: &Path) -> Result<Self, PreviewError> {
        let fail = |source| PreviewError::Io { path: path.to_owned(), source };
        let unreadable = |why: String| PreviewError::Unreadable { path: path.to_owned(), why };
        let mut text = Vec::new();
        File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text)).map_err(fail)?;
        if text.len() as u64 > LARGEST {
            return Err(unreadable(format!("it has more than {LARGEST} bytes")));
        }
        let preview: Self = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if preview.consign_plan != Self::VERSION {
            return Err(unreadable(format!("it has version {}", preview.consign_plan)));
        }
        Ok(preview)
    }
}
