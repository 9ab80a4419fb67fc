use schemars::JsonSchema;
use serde::Deserialize;

use super::yaml::Spanned;

/// What a plan may do. Where it stands, anything that is not in its lists is refused; a list that is missing is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "allow")]
pub struct AllowDeclaration {
    /// What may be written: `registry/repository` for all that is in it, `registry/repository:tag` for tags and what comes
    /// under them, `file:PATH` for files outside of the work folder. `*` stops at `/`, `**` does not.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub write: Vec<Spanned<String>>,
    /// What may be deleted, written likewise.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub delete: Vec<Spanned<String>>,
    /// The programs that may run, as plans name them.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub exec: Vec<Spanned<String>>,
}
