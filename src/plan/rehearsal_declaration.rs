use schemars::JsonSchema;
use serde::Deserialize;

use super::yaml::Spanned;

/// What a rehearsal of the plan begins with. Runs do not look at it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "rehearsal")]
pub struct RehearsalDeclaration {
    /// What others brought, as `--seed` takes it: `REPOSITORY[:TAG]=PATH` of an image layout, or a folder alone that says by
    /// itself where its content goes. Paths are relative to the plan's folder.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub seed: Vec<Spanned<String>>,
}
