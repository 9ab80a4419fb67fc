use std::{collections::BTreeMap, sync::Arc};

use crate::{
    event::{Fingerprint, Outcome},
    output::Output,
    step::Thing,
};

/// What an earlier run has done already.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// By the place of the step in the file; what is not in it runs as in any run.
    pub steps: BTreeMap<usize, EarlierStep>,
}

/// What is to be done about a step that an earlier run knew.
#[derive(Debug, Clone)]
pub enum EarlierStep {
    /// It runs again.
    Again {
        /// Why, in words.
        because: Arc<str>,
    },
    /// It is taken over if it would do the same, and what it made is still there.
    Ended(Box<EndedWell>),
    /// It counts as done, whatever is there: somebody said so.
    Done {
        /// What it handed on.
        output: Arc<Output>,
    },
}

/// A step that ended well.
#[derive(Debug, Clone)]
pub struct EndedWell {
    /// What decided what it did.
    pub fingerprint: Fingerprint,
    /// What it handed on.
    pub output: Arc<Output>,
    /// How it counts where it is taken over: it is unchanged, or looked at something.
    pub outcome: Outcome,
    /// What steps after it have overwritten since, or began to.
    pub overwritten: Vec<Thing>,
}
