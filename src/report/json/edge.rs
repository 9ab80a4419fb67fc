use schemars::JsonSchema;
use serde::Serialize;

use crate::event::{Edge, Reason};

/// A step waits for another. An end that begins with `+` is a join: all that have an edge to it hold back all that have
/// one from it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Edge")]
pub(in crate::report) struct EdgeJson {
    /// What comes first: a step, or `+` and a number.
    from: String,
    /// What waits: a step, or `+` and a number.
    to: String,
    /// Why; at least one.
    reasons: Vec<ReasonJson>,
}

/// Why a step waits.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Reason")]
struct ReasonJson {
    /// What kind of reason it is.
    #[schemars(extend("enum" = Reason::WORDS))]
    reason: &'static str,
    /// A sentence, for people.
    text: String,
}

impl EdgeJson {
    pub(in crate::report) fn of(edge: &Edge) -> Self {
        let reasons = edge.reasons.iter();
        Self {
            from: edge.from.to_string(),
            to: edge.to.to_string(),
            reasons: reasons.map(|reason| ReasonJson { reason: reason.word, text: reason.text.clone() }).collect(),
        }
    }
}
