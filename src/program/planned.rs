use std::{collections::BTreeSet, sync::Arc};

use std::time::Duration;

use crate::{
    event::StepId,
    plan::{Span, When, yaml::Node},
    step::{Effects, Kind},
    store::RetryPolicy,
};

/// A step of a program: what is known of it before it runs.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Name and place.
    pub id: StepId,
    /// What it is called beside it: the same as its name, unless a loop made it.
    pub written_id: Arc<str>,
    /// The plan that it stands in: see [`Program`](super::Program).
    pub module: usize,
    /// Of which item it is made, counted over all loops.
    pub iteration: Option<usize>,
    /// Its kind.
    pub kind: &'static Kind,
    /// What stands under the kind's key, expressions and all.
    pub body: Node,
    /// Where its id stands.
    pub span: Span,
    /// Everything that it may touch.
    pub effects: Effects,
    /// The secrets of the plan that it takes.
    pub secrets: BTreeSet<Arc<str>>,
    /// How many of the paths that steps write it sees: see [`Places::seeing`](crate::step::Places::seeing).
    pub seen: usize,
    /// Whether it may say no.
    pub gate: bool,
    /// How often and how long it is tried again.
    pub retry: RetryPolicy,
    /// The conditions under which it runs, expressions and all.
    pub when: Vec<When>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Whether its failure does not count.
    pub tolerates_failure: bool,
}
