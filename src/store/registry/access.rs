use super::CredentialSource;
use crate::oci::{RegistryName, RepositoryName};

/// What somebody wanted of a registry that said 401 or 403, and who that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The registry.
    pub registry: RegistryName,
    /// The repository, where it was about one.
    pub repository: Option<RepositoryName>,
    /// What was to be done there.
    pub action: Action,
    /// Where the login was found; nothing where there is none.
    pub source: Option<CredentialSource>,
    /// Whether the registry takes the login, which only lacks the right.
    pub is_known: bool,
}

/// What is done to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reading.
    Pull,
    /// Writing.
    Push,
    /// Deleting.
    Delete,
    /// Asking what there is, which is a right of its own at Azure.
    List,
}

impl Access {
    /// Who it was, for people.
    pub fn note(&self) -> String {
        match &self.source {
            Some(source) => format!("the login comes from {source}"),
            None => format!("there is no login for `{}`", self.registry),
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        let registry = &self.registry;
        let login = format!("`consign login {registry} -u USER`");
        let doing = match self.action {
            Action::Pull => "pull from",
            Action::Push => "push to",
            Action::Delete => "delete in",
            Action::List => "list the manifests of",
        };
        match (&self.source, &self.repository) {
            (None, _) => format!("log in with {login}, and run again"),
            (Some(_), Some(repository)) if self.is_known => format!(
                "this user may not {doing} `{registry}/{repository}`: ask for the permission, or log in as somebody who may"
            ),
            (Some(_), None) if self.is_known => "this user may not do that: ask for the permission".to_owned(),
            (Some(CredentialSource::File { .. } | CredentialSource::Helper { .. }), _) => {
                format!("the registry does not take this login: run {login}, and run again")
            }
            (Some(source), _) => format!("the registry does not take this login: correct {source}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_depends_on_who_was_refused() {
        let file = CredentialSource::File { path: "/h/config.json".into(), entry: "r.io".to_owned() };
        let given = CredentialSource::Given { registry: "r.io".parse().unwrap() };
        let access = |source: Option<&CredentialSource>, action, is_known| Access {
            registry: "r.io".parse().unwrap(),
            repository: Some("team/app".parse().unwrap()),
            action,
            source: source.cloned(),
            is_known,
        };
        for (access, note, help) in [
            (
                access(None, Action::Pull, false),
                "there is no login for `r.io`",
                "log in with `consign login r.io -u USER`, and run again",
            ),
            (
                access(Some(&file), Action::Push, true),
                "the login comes from `/h/config.json`, entry `r.io`",
                "this user may not push to `r.io/team/app`: ask for the permission, or log in as somebody who may",
            ),
            (
                access(Some(&file), Action::Delete, false),
                "the login comes from `/h/config.json`, entry `r.io`",
                "the registry does not take this login: run `consign login r.io -u USER`, and run again",
            ),
            (
                access(Some(&given), Action::Pull, false),
                "the login comes from `registries`, entry `r.io`",
                "the registry does not take this login: correct `registries`, entry `r.io`",
            ),
        ] {
            assert_eq!((access.note().as_str(), access.help().as_str()), (note, help));
        }
    }
}
