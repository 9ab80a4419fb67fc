use super::DigestError;

/// Why a text is not a reference, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing was given.
    #[error("a reference is missing: write `registry/repository:tag`")]
    Empty,
    /// `ubuntu`: no registry is implied.
    #[error(
        "`{text}` names no registry: write the registry too, such as `docker.io/library/{text}` or `localhost:5000/{text}`"
    )]
    NoRegistry {
        /// What was given.
        text: String,
    },
    /// `docker.io/ubuntu`.
    #[error("`{text}` is short for `docker.io/library/{rest}`: write that")]
    DockerLibrary {
        /// What was given.
        text: String,
        /// What follows the registry.
        rest: String,
    },
    /// `https://…`.
    #[error("`{text}` is a URL, not a reference: write `{rest}`")]
    Url {
        /// What was given.
        text: String,
        /// Without the scheme.
        rest: String,
    },
    /// The registry is not `host[:port]`.
    #[error("`{text}` is not a registry: write `host` or `host:port`")]
    Registry {
        /// What stands before the first `/`.
        text: String,
    },
    /// The repository breaks the grammar.
    #[error(
        "`{text}` is not a repository: use lower-case letters, digits and single `.`, `_`, `__` or `-` between them, parts separated by `/`"
    )]
    Repository {
        /// What stands after the registry.
        text: String,
    },
    /// The repository has capital letters.
    #[error("the repository `{text}` must be in lower case: write `{}`", text.to_lowercase())]
    Upper {
        /// What stands after the registry.
        text: String,
    },
    /// The tag breaks the grammar.
    #[error("`{text}` is not a tag: use at most 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`")]
    Tag {
        /// What stands after the colon.
        text: String,
    },
    /// The digest breaks the grammar.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// `oci-layout:` without a path.
    #[error("`{text}` names no path: write `{kind}:PATH` or `{kind}:PATH:TAG`")]
    Path {
        /// What was given.
        text: String,
        /// What stands before the path.
        kind: String,
    },
}
