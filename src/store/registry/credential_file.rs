//! Docker's `config.json` and Podman's `auth.json`: one format, where Podman's keys may go on into the path.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{Credential, CredentialError, CredentialSource, Login, Secret};
use crate::oci::{RegistryName, RepositoryName};

/// What `docker login` writes as the key of Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// One credential file, read.
#[derive(Debug)]
pub(super) struct CredentialFile {
    origin: Origin,
    entries: Vec<(Key, Entry)>,
    helpers: Vec<(Key, String)>,
    store: Option<String>,
}

/// Where the text of a credential file comes from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    File(PathBuf),
    Variable(&'static str),
}

/// Where a file says that a credential is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the file.
    Here(Login),
    /// Behind `docker-credential-HELPER`, under that name.
    Helper { helper: String, server: String },
}

/// What an entry is for: a registry, and where Podman wrote it also the beginning of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) registry: RegistryName,
    pub(super) path: String,
    is_url: bool,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl CredentialFile {
    /// Reads the file; nothing where there is none.
    pub(super) async fn read(path: &Path) -> Result<Option<Self>, CredentialError> {
        let origin = Origin::File(path.to_owned());
        match tokio::fs::read(path).await {
            Ok(text) => Self::parse(&text, origin).map(Some),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(origin.error(error.to_string())),
        }
    }

    /// Reads the text of a file.
    pub(super) fn parse(text: &[u8], origin: Origin) -> Result<Self, CredentialError> {
        // Docker takes an empty file for one without entries.
        let text = if text.trim_ascii().is_empty() { b"{}" } else { text };
        // The message of serde may quote a value, and values are secrets here.
        let file: File = serde_json::from_slice(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            origin.error(format!("not a Docker credential file: line {line}, column {column}"))
        })?;
        Ok(Self {
            origin,
            entries: keyed(file.auths),
            helpers: keyed(file.cred_helpers),
            store: file.creds_store.filter(|store| !store.is_empty()),
        })
    }

    /// The places to look at for that repository, or for the registry as a whole, the first one that has a credential
    /// decides: the registry's own helper, an entry for a part of the path, the store, the registry's entry.
    pub(super) fn find(
        &self,
        registry: &RegistryName,
        repository: Option<&RepositoryName>,
    ) -> Result<Vec<Place>, CredentialError> {
        let helped = longest(&self.helpers, registry, repository);
        if let Some((_, helper)) = helped.filter(|(_, helper)| !helper.is_empty()) {
            return Ok(vec![Place::Helper { helper: helper.clone(), server: server(registry) }]);
        }
        let mut places = Vec::new();
        let entry = longest(&self.entries, registry, repository);
        if let Some((key, entry)) = entry
            && let Some(credential) = entry.credential().map_err(|NotBasic| self.not_basic(key))?
        {
            places.push(Place::Here(Login { credential, source: self.origin.source(key.text.clone()) }));
        }
        // A helper without a name means that this registry has none, whatever the store.
        if let Some(store) = self.store.as_ref().filter(|_| helped.is_none()) {
            let store = Place::Helper { helper: store.clone(), server: server(registry) };
            // An entry beside a store is older than the store, unless it is for less than the whole registry.
            let place = usize::from(entry.is_some_and(|(key, _)| !key.path.is_empty()));
            places.insert(place.min(places.len()), store);
        }
        Ok(places)
    }

    fn not_basic(&self, key: &Key) -> CredentialError {
        self.origin.error(format!("the `auth` of `{}` is not `user:password` in base64", key.text))
    }
}

impl Origin {
    fn error(&self, message: String) -> CredentialError {
        match self {
            Self::File(path) => CredentialError::File { path: path.clone(), message },
            Self::Variable(name) => CredentialError::Variable { name, message },
        }
    }

    fn source(&self, entry: String) -> CredentialSource {
        match self {
            Self::File(path) => CredentialSource::File { path: path.clone(), entry },
            Self::Variable(name) => CredentialSource::Variable { name, entry },
        }
    }
}

/// The name under which Docker's files and helpers know a registry.
pub(super) fn server(registry: &RegistryName) -> String {
    if registry.as_str() == "docker.io" { DOCKER_HUB.to_owned() } else { registry.to_string() }
}

fn keyed<T>(entries: BTreeMap<String, T>) -> Vec<(Key, T)> {
    entries.into_iter().filter_map(|(key, value)| Some((Key::parse(&key)?, value))).collect()
}

fn longest<'a, T>(
    entries: &'a [(Key, T)],
    registry: &RegistryName,
    repository: Option<&RepositoryName>,
) -> Option<&'a (Key, T)> {
    entries
        .iter()
        .filter(|(key, _)| key.registry == *registry && key.covers(repository))
        .max_by_key(|(key, _)| (key.path.len(), !key.is_url))
}

impl Key {
    /// `host`, `host/path`, or as old Dockers wrote it, `https://host/v1/`, where the path means nothing. Nothing for
    /// keys that name no registry.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let url = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let (host, path) = url.unwrap_or(text).split_once('/').unwrap_or((url.unwrap_or(text), ""));
        let path = if url.is_some() { "" } else { path.trim_matches('/') };
        let registry = host.parse().ok()?;
        Some(Self { registry, path: path.to_owned(), is_url: url.is_some(), text: text.to_owned() })
    }

    fn covers(&self, repository: Option<&RepositoryName>) -> bool {
        let rest = repository.and_then(|repository| repository.as_str().strip_prefix(&self.path));
        self.path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The `auth` of an entry is something else.
struct NotBasic;

impl Entry {
    /// Nothing where the entry only says that somebody logged in: then a helper keeps the rest.
    fn credential(&self) -> Result<Option<Credential>, NotBasic> {
        let filled = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(token) = filled(&self.registrytoken) {
            return Ok(Some(Credential::Token(Secret::new(token))));
        }
        if let Some(token) = filled(&self.identitytoken) {
            return Ok(Some(Credential::Identity(Secret::new(token))));
        }
        if let Some(auth) = filled(&self.auth) {
            let text = STANDARD.decode(auth.trim()).map_err(|_| NotBasic)?;
            let text = String::from_utf8(text).map_err(|_| NotBasic)?;
            let (username, password) = text.split_once(':').ok_or(NotBasic)?;
            let password = Secret::new(password.trim_end_matches('\0'));
            return Ok(Some(Credential::Basic { username: username.to_owned(), password }));
        }
        let both = filled(&self.username).zip(self.password.clone());
        Ok(both.map(|(username, password)| Credential::Basic { username, password: Secret::new(password) }))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<CredentialFile, CredentialError> {
        CredentialFile::parse(text.as_bytes(), Origin::Variable("TEST"))
    }

    /// What the file says for a repository, or where that is empty for the registry, in the order in which it counts.
    fn found(file: &str, registry: &str, repository: &str) -> String {
        let repository = repository.parse().ok();
        let places = parsed(file).unwrap().find(&registry.parse().unwrap(), repository.as_ref()).unwrap();
        let shown = places.into_iter().map(|place| match place {
            Place::Here(Login { credential, source }) => {
                let credential = match credential {
                    Credential::Basic { username, password } => format!("{username}:{}", password.reveal()),
                    Credential::Identity(token) => format!("identity {}", token.reveal()),
                    Credential::Token(token) => format!("token {}", token.reveal()),
                };
                let source = source.to_string();
                format!("{credential} of {}", source.strip_prefix("`TEST`, entry ").unwrap())
            }
            Place::Helper { helper, server } => format!("{helper} {server}"),
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn entries_are_found_by_registry_and_longest_path() {
        // a:1, b:2, c:3
        let file = r#"{"auths": {
            "r.io": {"auth": "YTox"},
            "https://r.io": {"auth": "Yjoy"},
            "r.io/team": {"auth": "Yjoy"},
            "r.io/team/app": {"auth": "Yzoz"},
            "https://old.io/v1/": {"auth": "YTox"},
            "https://url.io/any/path": {"auth": "YTox"},
            "https://index.docker.io/v1/": {"username": "hub", "password": "x:y"},
            "docker.io/me": {"auth": "Yjoy"},
            "azure.azurecr.io": {"auth": "YTox", "identitytoken": "jwt"},
            "direct.io": {"auth": "YTox", "identitytoken": "jwt", "registrytoken": "opaque"},
            "kept.io": {},
            "empty.io": {"auth": "", "identitytoken": ""},
            "not a host": {"auth": "YTox"}
        }}"#;
        for (registry, repository, expected) in [
            ("r.io", "other", "a:1 of `r.io`"),
            ("r.io", "", "a:1 of `r.io`"),
            ("r.io", "team", "b:2 of `r.io/team`"),
            ("r.io", "team/x", "b:2 of `r.io/team`"),
            ("r.io", "team/app/y", "c:3 of `r.io/team/app`"),
            ("r.io", "teamwork", "a:1 of `r.io`"),
            ("old.io", "a", "a:1 of `https://old.io/v1/`"),
            ("url.io", "other", "a:1 of `https://url.io/any/path`"),
            ("docker.io", "library/a", "hub:x:y of `https://index.docker.io/v1/`"),
            ("docker.io", "me/a", "b:2 of `docker.io/me`"),
            ("azure.azurecr.io", "a", "identity jwt of `azure.azurecr.io`"),
            ("direct.io", "a", "token opaque of `direct.io`"),
            ("kept.io", "a", ""),
            ("empty.io", "a", ""),
            ("r.io:5000", "team", ""),
        ] {
            assert_eq!(found(file, registry, repository), expected, "{registry}/{repository}");
        }
    }

    #[test]
    fn a_helper_of_the_registry_goes_first_and_a_store_before_what_is_older() {
        let file = r#"{"auths": {"r.io": {"auth": "YTox"}, "s.io": {"auth": "YTox"}, "s.io/team": {"auth": "YTox"},
                "none.io": {"auth": "YTox"}, "t.io": {}},
            "credHelpers": {"r.io": "one", "docker.io": "hub", "none.io": ""}, "credsStore": "all"}"#;
        assert_eq!(found(file, "r.io", "a"), "one r.io");
        assert_eq!(found(file, "docker.io", "a/b"), "hub https://index.docker.io/v1/");
        assert_eq!(found(file, "s.io", "a"), "all s.io, a:1 of `s.io`");
        assert_eq!(found(file, "s.io", "team/a"), "a:1 of `s.io/team`, all s.io");
        assert_eq!(found(file, "none.io", "a"), "a:1 of `none.io`");
        assert_eq!(found(file, "t.io:5000", "a"), "all t.io:5000");
        assert_eq!(found(" ", "t.io", "a"), "");
    }

    #[test]
    fn a_broken_entry_concerns_its_registry_alone() {
        let file = r#"{"auths": {"r.io": {"auth": "hunter2"}, "s.io": {"auth": "YTox"}}}"#;
        assert_eq!(found(file, "s.io", "a"), "a:1 of `s.io`");
        let error = parsed(file).unwrap().find(&"r.io".parse().unwrap(), None).unwrap_err().to_string();
        assert_eq!(error, "the credentials in `TEST`: the `auth` of `r.io` is not `user:password` in base64");
    }

    #[test]
    fn what_is_no_credential_file_is_refused_without_quoting_it() {
        for bad in [r#"{"auths": "hunter2"}"#, r#"{"auths": {"r.io": {"auth": {"x": "hunter2"}}}}"#, "hunter2"] {
            let error = parsed(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let file = r#"{"auths": {"r.io": {"auth": "c2VjcmV0", "password": "hunter2"}}}"#;
        let shown = format!("{:?}", parsed(file).unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("c2VjcmV0"), "{shown}");
    }
}
