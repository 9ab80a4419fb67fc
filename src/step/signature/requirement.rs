use schemars::JsonSchema;
use serde::Deserialize;

use super::PredicateName;
use crate::plan::yaml::Spanned;

/// Something that must be signed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["artifact_type"] }, { "required": ["predicate_type"] }]))]
pub struct Requirement {
    /// What is attached to the subject: at least one referrer of this artifact type must be there and be signed itself, so
    /// an SBOM by `sbom/example`.
    #[schemars(with = "Option<String>")]
    pub artifact_type: Option<Spanned<String>>,
    /// What one of the keys must vouch for: at least one attestation of this type must be there. One of cosign's short
    /// names or a URI; with `format: cosign`.
    #[schemars(with = "Option<String>")]
    pub predicate_type: Option<Spanned<PredicateName>>,
}
