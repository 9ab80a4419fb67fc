use std::{
    fmt,
    path::{Path, PathBuf},
};

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
    /// `oci-archive:PATH` or `docker-archive:PATH`, one repository in a file.
    Archive {
        /// How it is laid out.
        form: ArchiveForm,
        /// The file.
        path: PathBuf,
    },
}

/// How an archive is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ArchiveForm {
    /// An image layout in a tar.
    Oci,
    /// What `docker save` writes; it is only read.
    Docker,
}

impl ArchiveForm {
    /// What stands before the path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oci => "oci-archive",
            Self::Docker => "docker-archive",
        }
    }
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
            Self::Layout(_) | Self::Archive { .. } => self.clone(),
        }
    }

    /// The registry, where it is in one.
    pub const fn registry(&self) -> Option<&RegistryName> {
        match self {
            Self::Registry { registry, .. } => Some(registry),
            Self::Layout(_) | Self::Archive { .. } => None,
        }
    }

    /// Where it is on this machine, if it is here.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Registry { .. } => None,
            Self::Layout(path) | Self::Archive { path, .. } => Some(path),
        }
    }

    /// The same repository at another place on this machine; one of a registry as it is.
    pub fn at(&self, path: PathBuf) -> Self {
        match self {
            Self::Registry { .. } => self.clone(),
            Self::Layout(_) => Self::Layout(path),
            Self::Archive { form, .. } => Self::Archive { form: *form, path },
        }
    }

    /// Whether it is one file, which may hold a single image without a name.
    pub const fn is_archive(&self) -> bool {
        matches!(self, Self::Archive { .. })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { registry, name } => write!(f, "{registry}/{name}"),
            Self::Layout(path) => write!(f, "oci-layout:{}", path.display()),
            Self::Archive { form, path } => write!(f, "{}:{}", form.name(), path.display()),
        }
    }
}
