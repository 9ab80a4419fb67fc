use std::{fmt, sync::Arc};

use super::{LateCredential, Limits, Tls};
use crate::oci::{RegistryPrefix, Repository};

/// What holds for one registry of a run.
#[derive(Debug, Clone, Default)]
pub struct RegistrySettings {
    /// Whether it is asked over plain HTTP; where nothing is said, loopback registries are.
    pub plain_http: Option<bool>,
    /// How it is asked over HTTPS.
    pub tls: Tls,
    /// Who to be there, whatever the credential files say.
    pub credential: Option<LateCredential>,
    /// Who is asked first for content that is named by its digest.
    pub mirrors: Vec<RegistryPrefix>,
    /// How much it gets.
    pub limits: Option<Limits>,
    /// How it lists referrers.
    pub referrers: ReferrersMode,
}

/// How a registry lists what refers to a manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReferrersMode {
    /// As it turns out.
    #[default]
    Auto,
    /// By the referrers API, which is not tried out before.
    Api,
    /// By the referrers tag alone. The API is never asked.
    Tag,
}

/// The repositories that a run may write. No mirror is asked for them: it may not have what was written, and may still
/// have what was deleted.
#[derive(Clone)]
pub struct Written(Arc<dyn Fn(&Repository) -> bool + Send + Sync>);

impl Written {
    /// Those for which `is_written` holds.
    pub fn by(is_written: impl Fn(&Repository) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_written))
    }

    pub(super) fn contains(&self, repository: &Repository) -> bool {
        (self.0)(repository)
    }
}

impl Default for Written {
    /// None.
    fn default() -> Self {
        Self::by(|_| false)
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written")
    }
}
