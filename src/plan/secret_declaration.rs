use schemars::JsonSchema;
use serde::Deserialize;

use super::yaml::Spanned;

/// Where a secret comes from: exactly one of `env`, `file` and `command`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "secret")]
pub struct SecretDeclaration {
    /// The environment variable that holds it.
    #[serde(default)]
    pub env: Option<Spanned<String>>,
    /// The file that holds it, relative to the plan's folder. The newline at its end does not count.
    #[serde(default)]
    pub file: Option<Spanned<String>>,
    /// A program with its arguments that writes it to stdout. It runs in the plan's folder, once, when it is needed.
    #[serde(default)]
    pub command: Option<Spanned<Vec<String>>>,
    /// What it is, for people.
    #[serde(default)]
    pub description: Option<String>,
}
