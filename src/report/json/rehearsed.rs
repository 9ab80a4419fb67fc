use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    event::{Change, InjectedFault, Rehearsed, RehearsedRepository},
    oci::{Digest, Target},
};

/// What a rehearsal did, and so what a real run would do.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Rehearsed")]
pub(in crate::report) struct RehearsedJson<'a> {
    /// Every repository that steps have to do with, sorted.
    repositories: Vec<RepositoryJson<'a>>,
    /// What was asked to go wrong.
    faults: Vec<FaultJson<'a>>,
    /// How many more tries the faults cost.
    tries: u64,
}

/// One repository of a rehearsal.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RehearsedRepository")]
struct RepositoryJson<'a> {
    repository: String,
    /// `pull`, `push` and `delete`.
    rights: Vec<&'static str>,
    changes: Vec<ChangeJson<'a>>,
}

/// A tag or a manifest that is different afterwards, or was in between.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Change")]
struct ChangeJson<'a> {
    #[schemars(extend("enum" = ["create", "move", "delete", "create and delete"]))]
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    manifest: Option<&'a Digest>,
    /// What the tag named before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    before: Option<&'a Digest>,
    /// What the tag names afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    after: Option<&'a Digest>,
}

/// A fault, and how often it came about.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fault")]
struct FaultJson<'a> {
    spec: &'a str,
    wanted: u32,
    injected: u32,
}

impl<'a> RehearsedJson<'a> {
    pub(in crate::report) fn of(rehearsed: &'a Rehearsed) -> Self {
        let repository = |it: &'a RehearsedRepository| RepositoryJson {
            repository: it.repository.to_string(),
            rights: it.rights.words(),
            changes: it.changes.iter().map(ChangeJson::of).collect(),
        };
        let fault = |it: &'a InjectedFault| FaultJson { spec: &it.spec, wanted: it.wanted, injected: it.injected };
        Self {
            repositories: rehearsed.repositories.iter().map(repository).collect(),
            faults: rehearsed.faults.iter().map(fault).collect(),
            tries: rehearsed.tries,
        }
    }
}

impl<'a> ChangeJson<'a> {
    fn of(change: &'a Change) -> Self {
        let bare = Self { change: change.verb(), tag: None, manifest: None, before: None, after: None };
        match &change.target {
            Target::Tag(tag) => {
                Self { tag: Some(tag.as_str()), before: change.before.as_ref(), after: change.after.as_ref(), ..bare }
            }
            Target::Digest(digest) => Self { manifest: Some(digest), ..bare },
        }
    }
}
