use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de};

use super::{ReferenceError, RegistryName, Repository, RepositoryName};

/// A registry, or the part of one in which every name begins alike: `host[:port]` or `host[:port]/prefix`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistryPrefix {
    /// The service.
    pub registry: RegistryName,
    /// What every name in it begins with, without the `/` behind it.
    pub prefix: Option<RepositoryName>,
}

impl RegistryPrefix {
    /// What is called `name` elsewhere. Nothing: the name would be too long.
    pub fn repository_name(&self, name: &RepositoryName) -> Option<RepositoryName> {
        match &self.prefix {
            None => Some(name.clone()),
            Some(prefix) => format!("{prefix}/{name}").parse().ok(),
        }
    }

    /// The repository that is called `name` elsewhere. Nothing: the name would be too long.
    pub fn repository(&self, name: &RepositoryName) -> Option<Repository> {
        Some(Repository::Registry { registry: self.registry.clone(), name: self.repository_name(name)? })
    }
}

impl fmt::Display for RegistryPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.prefix {
            None => self.registry.fmt(f),
            Some(prefix) => write!(f, "{}/{prefix}", self.registry),
        }
    }
}

impl FromStr for RegistryPrefix {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if let Some((_, rest)) = text.split_once("://") {
            return Err(ReferenceError::Url { text: text.to_owned(), rest: rest.trim_end_matches('/').to_owned() });
        }
        let (registry, prefix) = match text.split_once('/') {
            Some((registry, prefix)) => (registry, Some(prefix)),
            None => (text, None),
        };
        Ok(Self { registry: registry.parse()?, prefix: prefix.map(str::parse).transpose()? })
    }
}

impl<'de> Deserialize<'de> for RegistryPrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_before_every_name() {
        let name: RepositoryName = "library/app".parse().unwrap();
        for (text, expected) in [
            ("Mirror.LAN:5000", Some("mirror.lan:5000/library/app")),
            ("r.io/hub/cache", Some("r.io/hub/cache/library/app")),
            (&format!("r.io/{}", "a".repeat(250)), None),
        ] {
            let prefix: RegistryPrefix = text.parse().unwrap();
            assert_eq!(prefix.repository(&name).map(|it| it.to_string()).as_deref(), expected, "{text}");
            assert_eq!(prefix.to_string().parse(), Ok(prefix));
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for (text, message) in [
            ("https://r.io/", "`https://r.io/` is a URL, not a reference: write `r.io`"),
            ("r io", "`r io` is not a registry: write `host` or `host:port`"),
            ("", "`` is not a registry: write `host` or `host:port`"),
            ("r.io/Hub", "the repository `Hub` must be in lower case: write `hub`"),
        ] {
            assert_eq!(text.parse::<RegistryPrefix>().unwrap_err().to_string(), message);
        }
        assert!("r.io/".parse::<RegistryPrefix>().is_err());
    }
}
