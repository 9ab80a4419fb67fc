use crate::{event::Outcome, output::Output};

/// How a step that succeeded ended, and what it hands on.
#[derive(Debug, Clone)]
pub struct Done {
    /// One of the outcomes that are successes.
    pub outcome: Outcome,
    /// Its outputs, `outcome` and `changed` among them.
    pub output: Output,
}

impl Done {
    /// Adds the outputs that every step has.
    pub fn new(outcome: Outcome, output: Output) -> Self {
        let output = output.with("outcome", outcome.word()).with("changed", outcome.is_change());
        Self { outcome, output }
    }
}
