use std::{fmt, path::PathBuf};

use super::Secret;
use crate::oci::RegistryName;

/// Who to be for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user and a password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token that the registry's token service takes for a shorter-lived one.
    Identity(Secret),
    /// A token that goes to the registry itself with every request.
    Token(Secret),
}

/// A credential, and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who to be.
    pub credential: Credential,
    /// Where that is said.
    pub source: CredentialSource,
}

/// Where a credential was found: what an error may say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// It was given for this registry, whatever the files say.
    Given {
        /// The registry.
        registry: RegistryName,
    },
    /// An environment variable that holds the text of a credential file.
    Variable {
        /// Its name.
        name: &'static str,
        /// The entry, as it is written there.
        entry: String,
    },
    /// A credential file.
    File {
        /// The file.
        path: PathBuf,
        /// The entry, as it is written there.
        entry: String,
    },
    /// A program that keeps credentials.
    Helper {
        /// Its name.
        program: String,
        /// What the program knows the registry by.
        server: String,
    },
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given { registry } => write!(f, "`registries`, entry `{registry}`"),
            Self::Variable { name, entry } => write!(f, "`{name}`, entry `{entry}`"),
            Self::File { path, entry } => write!(f, "`{}`, entry `{entry}`", path.display()),
            Self::Helper { program, server } => write!(f, "`{program}`, entry `{server}`"),
        }
    }
}
