use std::sync::Arc;

use crate::event::StepId;

/// A node of the graph.
#[derive(Debug, Clone)]
pub enum Member {
    /// A step.
    Step(StepId),
    /// Where several wait for several: it stands for all that came before it, and does nothing itself.
    Join,
    /// Stands before the steps of `finally`, and comes when all others have ended.
    Finally,
}

/// A step whose outputs another one uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its place in the file.
    pub step: usize,
    /// What mentions it, as it is written: `steps.image.digest`, or the name of a var.
    pub mention: Arc<str>,
}
