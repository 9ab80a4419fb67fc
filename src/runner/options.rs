use std::sync::Arc;

use super::Earlier;
use crate::{
    step::{Mode, Pins},
    store::Stores,
};

/// How a program is run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Every repository.
    pub stores: Arc<Stores>,
    /// What the run is for.
    pub mode: Mode,
    /// How many steps run at a time, at least 1.
    pub jobs: usize,
    /// Go on with what does not depend on a failed step.
    pub keep_going: bool,
    /// What a skipped gate would hold back runs all the same.
    pub skip_gates: bool,
    /// Whether the fingerprints of steps are worked out, for a journal.
    pub fingerprints: bool,
    /// What an earlier run has done already, where this one goes on with it.
    pub earlier: Option<Arc<Earlier>>,
    /// Where tags point, as far as that is known before.
    pub pins: Arc<Pins>,
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970, where it is set.
    pub epoch: Option<u64>,
}
