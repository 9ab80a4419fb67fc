use schemars::JsonSchema;
use serde::Serialize;

use crate::event::{Failure, FailureKind, Place};

/// Why a step failed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Failure")]
pub(in crate::report) struct FailureJson<'a> {
    /// `step`: it could not do its work; `gate`: it looked and said no; `temporary`: later it may work; `tolerated`: the
    /// plan says that it does not count; `finally`: it could not do its work in `finally`.
    #[schemars(extend("enum" = ["step", "gate", "temporary", "tolerated", "finally"]))]
    kind: &'static str,
    /// The causes, outermost first, joined with `: `.
    message: &'a str,
    /// What was found, one line each.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    /// What a person can do about it, one sentence each.
    help: &'a [String],
    /// Where the step stands in its plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceJson<'a>>,
}

/// A place in a plan, from 1.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Place")]
struct PlaceJson<'a> {
    file: &'a str,
    line: usize,
    column: usize,
}

impl FailureKind {
    /// The word for it.
    pub(in crate::report) const fn word(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Gate => "gate",
            Self::Temporary => "temporary",
            Self::Tolerated => "tolerated",
            Self::Finally => "finally",
        }
    }
}

impl<'a> FailureJson<'a> {
    pub(in crate::report) fn of(failure: &'a Failure) -> Self {
        let place =
            failure.place.as_ref().map(|Place { file, line, column }| PlaceJson { file, line: *line, column: *column });
        Self { kind: failure.kind.word(), message: &failure.message, notes: &failure.notes, help: &failure.help, place }
    }
}
