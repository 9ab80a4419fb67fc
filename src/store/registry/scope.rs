use super::Action;
use crate::oci::RepositoryName;

/// What a token is for. One token for each: a scope that grows with every repository ends in headers that no proxy takes.
///
/// <https://distribution.github.io/distribution/spec/auth/scope/>
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    /// Nothing: the registry as a whole, where all that counts is who asks.
    repository: Option<RepositoryName>,
    action: Action,
    source: Option<RepositoryName>,
}

impl Scope {
    /// Being known to the registry.
    pub(super) const fn registry() -> Self {
        Self { repository: None, action: Action::Pull, source: None }
    }

    /// Reading.
    pub(super) fn pull(repository: &RepositoryName) -> Self {
        Self { repository: Some(repository.clone()), action: Action::Pull, source: None }
    }

    /// Writing, and what is read on the way.
    pub(super) fn push(repository: &RepositoryName) -> Self {
        Self { action: Action::Push, ..Self::pull(repository) }
    }

    /// Writing, with blobs that another repository has.
    pub(super) fn mount(repository: &RepositoryName, source: &RepositoryName) -> Self {
        Self { source: Some(source.clone()), ..Self::push(repository) }
    }

    /// Deleting.
    pub(super) fn delete(repository: &RepositoryName) -> Self {
        Self { action: Action::Delete, ..Self::pull(repository) }
    }

    /// Asking Azure which manifests there are.
    pub(super) fn list(repository: &RepositoryName) -> Self {
        Self { action: Action::List, ..Self::pull(repository) }
    }

    /// The repository that the request is about.
    pub(super) const fn repository(&self) -> Option<&RepositoryName> {
        self.repository.as_ref()
    }

    /// What is to be done there.
    pub(super) const fn action(&self) -> Action {
        self.action
    }

    /// As a token service is asked.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        let actions = match self.action {
            Action::Pull => "pull",
            Action::Push => "pull,push",
            Action::Delete => "delete",
            Action::List => "metadata_read",
        };
        let own = self.repository.as_ref().map(|name| format!("repository:{name}:{actions}"));
        own.into_iter().chain(self.source.as_ref().map(|source| format!("repository:{source}:pull")))
    }
}
