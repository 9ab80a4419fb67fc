use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::yaml::Spanned;

/// Who signs without a key that anybody keeps.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityFields {
    /// Who: the e-mail address or the URI in the certificate.
    pub subject: String,
    /// Who says so: the URL of the OIDC issuer.
    pub issuer: String,
    /// The authorities, logs and timestamp services that are trusted: a file with JSON, as `cosign trusted-root create`
    /// writes it.
    #[schemars(with = "String")]
    pub trusted_root: Spanned<String>,
    /// Others, whose signatures count as well.
    #[serde(default)]
    pub or: Vec<SignerFields>,
}

/// Another one who signs without a key that anybody keeps.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignerFields {
    /// Who: the e-mail address or the URI in the certificate.
    pub subject: String,
    /// Who says so: the URL of the OIDC issuer.
    pub issuer: String,
}
