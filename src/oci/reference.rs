use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Deserializer, de};

use super::{ArchiveForm, Digest, ReferenceError, RegistryName, Repository, RepositoryName, Tag, Target};

/// `registry/repository[:tag][@digest]`, or `oci-layout:PATH`, `oci-archive:PATH` or `docker-archive:PATH` in place of
/// `registry/repository`.
///
/// Nothing is implied: no registry, no `latest`. Where both a tag and a digest stand, the digest decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Where.
    pub repository: Repository,
    /// The tag, where one was written.
    pub tag: Option<Tag>,
    /// The digest, where one was written.
    pub digest: Option<Digest>,
}

impl Reference {
    /// A manifest by its address.
    pub const fn by_digest(repository: Repository, digest: Digest) -> Self {
        Self { repository, tag: None, digest: Some(digest) }
    }

    /// A manifest by a tag.
    pub const fn by_tag(repository: Repository, tag: Tag) -> Self {
        Self { repository, tag: Some(tag), digest: None }
    }

    /// What to ask the repository for; nothing where only the repository was named.
    pub fn target(&self) -> Option<Target> {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Some(Target::Digest(digest.clone())),
            (None, Some(tag)) => Some(Target::Tag(tag.clone())),
            (None, None) => None,
        }
    }
}

impl fmt::Display for Reference {
    /// `repository@digest` where there is a digest: the tag does not count then, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        match (&self.digest, &self.tag) {
            (Some(digest), _) => write!(f, "@{digest}"),
            (None, Some(tag)) => write!(f, ":{tag}"),
            (None, None) => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if let Some((_, rest)) = text.split_once("://") {
            return Err(ReferenceError::Url { text: text.to_owned(), rest: rest.trim_end_matches('/').to_owned() });
        }
        let (rest, digest) = match text.rsplit_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        // A colon after the last slash starts a tag; one before it is the registry's port.
        let (rest, tag) = match rest.rsplit_once(':') {
            Some((rest, tag)) if !tag.contains('/') && !LOCAL.contains(&rest) => (rest, Some(tag)),
            _ => (rest, None),
        };
        let repository = match rest.split_once(':') {
            Some((kind, "")) if LOCAL.contains(&kind) => {
                return Err(ReferenceError::Path { text: text.to_owned(), kind: kind.to_owned() });
            }
            Some(("oci-layout", path)) => Repository::Layout(PathBuf::from(path)),
            Some(("oci-archive", path)) => Repository::Archive { form: ArchiveForm::Oci, path: PathBuf::from(path) },
            Some(("docker-archive", path)) => {
                Repository::Archive { form: ArchiveForm::Docker, path: PathBuf::from(path) }
            }
            _ => registry_repository(text, rest)?,
        };
        Ok(Self { repository, tag: tag.map(str::parse).transpose()?, digest })
    }
}

/// What stands before the path of a repository on this machine.
const LOCAL: [&str; 3] = ["oci-layout", "oci-archive", "docker-archive"];

fn registry_repository(text: &str, rest: &str) -> Result<Repository, ReferenceError> {
    let (registry, name) = rest.split_once('/').ok_or_else(|| ReferenceError::NoRegistry { text: text.to_owned() })?;
    // As every client has it: a first part without a dot, a colon or the name `localhost` is not a host.
    let is_host = registry.contains(['.', ':', '[']) || registry.eq_ignore_ascii_case("localhost");
    if !is_host {
        return Err(ReferenceError::NoRegistry { text: text.to_owned() });
    }
    let registry: RegistryName = registry.parse()?;
    let name: RepositoryName = name.parse()?;
    if registry.as_str() == "docker.io" && !name.as_str().contains('/') {
        let rest = text.split_once('/').map_or("", |(_, rest)| rest).to_owned();
        return Err(ReferenceError::DockerLibrary { text: text.to_owned(), rest });
    }
    Ok(Repository::Registry { registry, name })
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shown(text: &str, expected: &str) {
        assert_eq!(text.parse::<Reference>().unwrap().to_string(), expected);
    }

    #[track_caller]
    fn refused(text: &str, message: &str) {
        assert_eq!(text.parse::<Reference>().unwrap_err().to_string(), message);
    }

    #[test]
    fn a_reference_is_shown_as_it_is_used() {
        let digest = Digest::sha256(b"x");
        shown("ghcr.io/x/app:v1", "ghcr.io/x/app:v1");
        shown("localhost:5000/app", "localhost:5000/app");
        shown("[::1]:5000/a:1", "[::1]:5000/a:1");
        shown(&format!("ghcr.io/x/app:v1@{digest}"), &format!("ghcr.io/x/app@{digest}"));
        shown("oci-layout:some/dir:v1", "oci-layout:some/dir:v1");
        shown("oci-layout:dir", "oci-layout:dir");
        shown("oci-archive:out/app.tar:v1", "oci-archive:out/app.tar:v1");
        shown("docker-archive:app.tar", "docker-archive:app.tar");
    }

    #[test]
    fn what_is_missing_is_said() {
        refused(
            "ubuntu",
            "`ubuntu` names no registry: write the registry too, such as `docker.io/library/ubuntu` or `localhost:5000/ubuntu`",
        );
        refused(
            "docker.io/ubuntu:22.04",
            "`docker.io/ubuntu:22.04` is short for `docker.io/library/ubuntu:22.04`: write that",
        );
        refused("oci://ghcr.io/x/app", "`oci://ghcr.io/x/app` is a URL, not a reference: write `ghcr.io/x/app`");
        refused("ghcr.io/X/app", "the repository `X/app` must be in lower case: write `x/app`");
        refused("oci-archive:", "`oci-archive:` names no path: write `oci-archive:PATH` or `oci-archive:PATH:TAG`");
        refused("", "a reference is missing: write `registry/repository:tag`");
    }
}
