use std::fmt;

use super::StepId;

/// One step waits for another, as the plan's graph has it. Joins stand where many would wait for many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// What comes first.
    pub from: Node,
    /// What waits.
    pub to: Node,
    /// At least one.
    pub reasons: Vec<Reason>,
}

/// An end of an edge.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Node {
    /// A step.
    Step(StepId),
    /// Where several wait for several: it stands for all that comes before it, and does nothing itself. Numbers from 1.
    Join(usize),
}

/// Why a step waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// One of [`Self::WORDS`].
    pub word: &'static str,
    /// A sentence, which begins with the word.
    pub text: String,
}

impl Reason {
    /// The words for all of them.
    pub const WORDS: [&'static str; 6] = ["data", "effect", "gate", "needs", "include", "finally"];
}

/// The name of a step, or `+` and a number: no step can be called that.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => step.fmt(f),
            Self::Join(number) => write!(f, "+{number}"),
        }
    }
}
