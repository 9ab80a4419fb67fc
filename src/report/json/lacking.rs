use schemars::JsonSchema;
use serde::Serialize;

use crate::event::{Lacking, Summary};

/// An output of the plan that has no value.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Lacking")]
pub(in crate::report) struct LackingJson<'a> {
    /// Its name.
    output: &'a str,
    /// Why, in words.
    because: &'a str,
    /// Whether all that it lacks is a step that was skipped.
    skipped: bool,
}

impl<'a> LackingJson<'a> {
    pub(in crate::report) fn all(summary: &'a Summary) -> Vec<Self> {
        let json = |it: &'a Lacking| Self { output: &it.output, because: &it.because, skipped: it.is_skipped };
        summary.lacking.iter().map(json).collect()
    }
}
