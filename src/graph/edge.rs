use std::{fmt, sync::Arc};

use crate::step::{Access, Thing};

/// Why one node waits for another. Two nodes may be tied by several reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// At least one.
    pub reasons: Vec<Reason>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The later one uses an output of the earlier one.
    Data {
        /// As it is written: `steps.image.digest`, or the name of a var.
        mention: Arc<str>,
    },
    /// Both touch the same thing, and the order can be told.
    Effect {
        /// How the earlier one touches it.
        before: Access,
        /// The narrower of the two things.
        thing: Thing,
        /// How the later one touches it.
        after: Access,
    },
    /// The earlier one may say no, and the later one changes something.
    Gate,
    /// Written by hand.
    Needs,
    /// The earlier one is a step of the plan that the later one includes.
    Include,
    /// The later one is in `finally`: it comes when the earlier one has ended, however it did.
    Finally,
}

impl Edge {
    /// An edge with one reason.
    pub fn new(reason: Reason) -> Self {
        Self { reasons: vec![reason] }
    }

    /// Whether the later one cannot be worked out without the earlier one.
    pub fn is_data(&self) -> bool {
        self.reasons.iter().any(|reason| matches!(reason, Reason::Data { .. }))
    }

    /// Whether the later one may do what nobody can tell while the earlier one is still to be done: it does not need what
    /// the earlier one hands on, and no content goes by its doing.
    pub fn may_be_overtaken(&self) -> bool {
        self.reasons.iter().all(|reason| match reason {
            Reason::Effect { before, thing, .. } => *before != Access::Write || thing.is_name(),
            Reason::Data { .. } | Reason::Gate | Reason::Needs | Reason::Include | Reason::Finally => false,
        })
    }

    /// Whether the later one comes however the earlier one ended.
    pub fn is_finally(&self) -> bool {
        self.reasons.contains(&Reason::Finally)
    }

    /// Whether the earlier one holds the later one back as a gate.
    pub fn is_gate(&self) -> bool {
        self.reasons.contains(&Reason::Gate)
    }
}

impl Reason {
    /// The word for it, as `consign graph` and its JSON have it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Data { .. } => "data",
            Self::Effect { .. } => "effect",
            Self::Gate => "gate",
            Self::Needs => "needs",
            Self::Include => "include",
            Self::Finally => "finally",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data { mention } => write!(f, "data: it uses `{mention}`"),
            Self::Effect { before, thing, after } => {
                write!(f, "effect: the first {} {thing}, the second {} it", before.verb(), after.verb())
            }
            Self::Gate => f.write_str("gate: the first may say no, and the second changes something"),
            Self::Needs => f.write_str("needs: written in the plan"),
            Self::Include => f.write_str("include: the second ends when the steps of its plan have"),
            Self::Finally => f.write_str("finally: the second runs when the first has ended, however it did"),
        }
    }
}
