use crate::oci::RepositoryName;

/// What a token is for. One token for each: a scope that grows with every repository ends in headers that no proxy takes.
///
/// <https://distribution.github.io/distribution/spec/auth/scope/>
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    repository: RepositoryName,
    actions: &'static str,
    source: Option<RepositoryName>,
}

impl Scope {
    /// Reading.
    pub(super) fn pull(repository: &RepositoryName) -> Self {
        Self { repository: repository.clone(), actions: "pull", source: None }
    }

    /// Writing, and what is read on the way.
    pub(super) fn push(repository: &RepositoryName) -> Self {
        Self { repository: repository.clone(), actions: "pull,push", source: None }
    }

    /// Writing, with blobs that another repository has.
    pub(super) fn mount(repository: &RepositoryName, source: &RepositoryName) -> Self {
        Self { source: Some(source.clone()), ..Self::push(repository) }
    }

    /// Deleting.
    pub(super) fn delete(repository: &RepositoryName) -> Self {
        Self { repository: repository.clone(), actions: "delete", source: None }
    }

    /// The repository that the request is about.
    pub(super) const fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// As a token service is asked.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        let own = format!("repository:{}:{}", self.repository, self.actions);
        std::iter::once(own).chain(self.source.as_ref().map(|source| format!("repository:{source}:pull")))
    }
}
