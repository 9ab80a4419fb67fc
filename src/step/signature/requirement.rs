use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::yaml::Spanned;

/// Something that must be signed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// What is attached to the subject: at least one referrer of this artifact type must be there and be signed itself, so
    /// an SBOM by `sbom/example`.
    #[schemars(with = "String")]
    pub artifact_type: Spanned<String>,
}
