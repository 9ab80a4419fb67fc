use std::sync::Arc;

use super::{Failure, StepId};

/// How a step ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Made something that was not there.
    Created,
    /// Changed something that was there.
    Updated,
    /// Found everything as it should be.
    Unchanged,
    /// Removed something.
    Deleted,
    /// Looked, and changes nothing by its nature.
    Passed,
    /// Was not asked to run.
    Skipped {
        /// Why, in words.
        because: Arc<str>,
    },
    /// Could not run, since a step before it failed.
    Blocked {
        /// The step that failed.
        by: StepId,
    },
    /// Tried and failed, or said no.
    Failed(Arc<Failure>),
    /// Was stopped, or never started because the run was.
    Cancelled,
}

impl Outcome {
    /// The words for all of them, in the order in which they are counted.
    pub const WORDS: [&'static str; 9] =
        ["created", "updated", "unchanged", "deleted", "passed", "skipped", "blocked", "failed", "cancelled"];

    /// The word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Passed => "passed",
            Self::Skipped { .. } => "skipped",
            Self::Blocked { .. } => "blocked",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether steps that wait for this one may go on.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Unchanged | Self::Deleted | Self::Passed)
    }

    /// Whether anything is different from before.
    pub const fn is_change(&self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Deleted)
    }
}
