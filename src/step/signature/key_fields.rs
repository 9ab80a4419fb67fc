use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::files::is_pem;
use crate::plan::{Diagnostic, yaml::Spanned};

/// A key that a plugin of notation has, or reaches.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginKey {
    /// The plugin, as `notation plugin list` names it.
    pub name: String,
    /// What the plugin calls the key.
    pub key_id: String,
    /// What the plugin is told besides.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
}

/// A service that says when something was signed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimestampService {
    /// Where it is asked, as RFC 3161 has it.
    #[schemars(with = "String")]
    pub url: Spanned<String>,
    /// Certificates of authorities for the time: files, PEM or DER, or PEM itself. What the service says is checked at once.
    #[schemars(with = "Vec<String>")]
    pub certificates: Vec<Spanned<String>>,
}

impl TimestampService {
    /// The files that it reads.
    pub(in crate::step) fn sources(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.certificates.iter().filter(|one| !is_pem(one))
    }

    /// What is wrong with it.
    pub(in crate::step) fn check(&self) -> Option<Diagnostic> {
        let url = &self.url;
        let is_url = url.starts_with("http://") || url.starts_with("https://");
        (!is_url).then(|| Diagnostic::new(format!("`{}` is no URL of a timestamp service", url.value)).at(url.span))
    }
}
