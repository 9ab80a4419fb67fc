use std::{fmt, path::PathBuf};

use super::{RegistryName, RepositoryName};

/// Where tags and manifests live together: a repository of a registry, or an image layout on disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Repository {
    /// `registry/repository`.
    Registry {
        /// The service.
        registry: RegistryName,
        /// The path within it.
        name: RepositoryName,
    },
    /// `oci-layout:PATH`, one repository in a folder.
    ///
    /// <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>
    Layout(PathBuf),
}

impl Repository {
    /// Whether a registry has it, not this machine.
    pub const fn is_registry(&self) -> bool {
        matches!(self, Self::Registry { .. })
    }

    /// One value for all the names of one repository, to compare by.
    pub fn identity(&self) -> Self {
        match self {
            Self::Registry { registry, name } => Self::Registry { registry: registry.identity(), name: name.clone() },
            Self::Layout(path) => Self::Layout(path.clone()),
        }
    }

    /// The registry, where it is in one.
    pub const fn registry(&self) -> Option<&RegistryName> {
        match self {
            Self::Registry { registry, .. } => Some(registry),
            Self::Layout(_) => None,
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { registry, name } => write!(f, "{registry}/{name}"),
            Self::Layout(path) => write!(f, "oci-layout:{}", path.display()),
        }
    }
}
