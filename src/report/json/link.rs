use schemars::JsonSchema;
use serde::Serialize;

use crate::event::Chain;

/// A step of the longest chain, with its round trips that stood one after another.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Link")]
pub(in crate::report) struct LinkJson<'a> {
    step: &'a str,
    round_trips: u32,
}

impl<'a> LinkJson<'a> {
    /// All of a chain, the first step first.
    pub(in crate::report) fn all(chain: &'a Chain) -> Vec<Self> {
        let links = chain.links.iter();
        links.map(|(step, round_trips)| Self { step: step.name(), round_trips: *round_trips }).collect()
    }
}
