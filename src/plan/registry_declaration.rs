use schemars::JsonSchema;
use serde::Deserialize;

use super::yaml::{SecretName, Spanned, TextOrSecret};
use crate::{
    oci::RegistryPrefix,
    store::registry::{Rate, ReferrersMode},
};

/// How one registry is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "registry")]
pub struct RegistryDeclaration {
    /// Whether it is asked over plain HTTP. Loopback registries are by default, all others over HTTPS.
    #[serde(default)]
    pub plain_http: Option<Spanned<bool>>,
    /// Certificates in PEM that are trusted beside those of the system, relative to the plan's folder.
    #[serde(default)]
    pub ca_file: Option<Spanned<String>>,
    /// The certificate in PEM that is shown to it, relative to the plan's folder; needs `client_key`.
    #[serde(default)]
    pub client_cert: Option<Spanned<String>>,
    /// The key in PEM of `client_cert`, relative to the plan's folder.
    #[serde(default)]
    pub client_key: Option<Spanned<String>>,
    /// Believes whoever answers: for trying things out, never for releases.
    #[serde(default)]
    pub insecure_skip_verify: Option<Spanned<bool>>,
    /// Registries, or prefixes in them, that are asked first for what is named by its digest and not written by the plan.
    #[serde(default)]
    #[schemars(with = "Option<Vec<String>>")]
    pub mirrors: Option<Vec<Spanned<RegistryPrefix>>>,
    /// The registry, or the prefix in one, that this is another name of. That one is asked in its place.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub same_as: Option<Spanned<RegistryPrefix>>,
    /// How many requests it gets at once, at least 2: 16 by default.
    #[serde(default)]
    #[schemars(range(min = 2))]
    pub concurrency: Option<Spanned<u16>>,
    /// How many requests it gets over time, such as `100/s` or `2000/min`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub rate: Option<Spanned<Rate>>,
    /// Who to be there, whatever the credential files say; needs `password`.
    #[serde(default)]
    pub username: Option<Spanned<TextOrSecret>>,
    /// The password of `username`, a secret.
    #[serde(default)]
    pub password: Option<Spanned<SecretName>>,
    /// How it lists what refers to a manifest: as it turns out by default, or only by the API, or only by the tag.
    #[serde(default)]
    pub referrers: Option<Referrers>,
}

/// How a registry lists referrers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Referrers {
    /// The API if it lists what was attached, otherwise the tag.
    Auto,
    /// The API.
    Api,
    /// The tag of the referrers tag schema.
    Tag,
}

impl From<Referrers> for ReferrersMode {
    fn from(referrers: Referrers) -> Self {
        match referrers {
            Referrers::Auto => Self::Auto,
            Referrers::Api => Self::Api,
            Referrers::Tag => Self::Tag,
        }
    }
}
