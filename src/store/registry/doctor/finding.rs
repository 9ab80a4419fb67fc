use serde::Serialize;

use super::Ability;

/// What was found out about one ability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which.
    pub ability: Ability,
    /// Whether the registry has it.
    pub verdict: Verdict,
    /// How that shows, in a few words; or why it is not known.
    pub detail: String,
}

/// Whether a registry can do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It can.
    Yes,
    /// It cannot, or not for who asks.
    No,
    /// It was not tried, or the answer says nothing.
    Unknown,
}

impl Verdict {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}
