//! Docker's `config.json` and Podman's `auth.json`: one format, where Podman's keys may go on into the path.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{Credential, CredentialError, Secret};
use crate::oci::{RegistryName, RepositoryName};

/// What `docker login` writes as the key of Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// One credential file, read.
#[derive(Debug)]
pub(super) struct CredentialFile {
    entries: Vec<(Key, Credential)>,
    helpers: Vec<(Key, String)>,
    store: Option<String>,
}

/// Where a file says that a credential is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the file.
    Here(Credential),
    /// Behind `docker-credential-HELPER`, under that name.
    Helper { helper: String, server: String },
}

/// What an entry is for: a registry, and where Podman wrote it also the beginning of a path.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    registry: RegistryName,
    path: String,
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
}

impl CredentialFile {
    /// Reads the file; nothing where there is none.
    pub(super) async fn read(path: &Path) -> Result<Option<Self>, CredentialError> {
        let fail = |message: String| CredentialError::File { path: PathBuf::from(path), message };
        let text = match tokio::fs::read(path).await {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(fail(error.to_string())),
        };
        Self::parse(&text).map(Some).map_err(fail)
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        // The message of serde may quote a value, and values are secrets here.
        let file: File = serde_json::from_slice(text).map_err(|error| {
            format!("not a Docker credential file: line {}, column {}", error.line(), error.column())
        })?;
        let mut entries = Vec::new();
        for (key, entry) in file.auths {
            if let (Some(key), Some(credential)) = (Key::parse(&key), entry.credential(&key)?) {
                entries.push((key, credential));
            }
        }
        let helpers =
            file.cred_helpers.into_iter().filter_map(|(key, helper)| Some((Key::parse(&key)?, helper))).collect();
        Ok(Self { entries, helpers, store: file.creds_store.filter(|store| !store.is_empty()) })
    }

    /// Where the credential for that repository is: the registry's own helper, the longest path that fits, the store.
    pub(super) fn find(&self, registry: &RegistryName, repository: &RepositoryName) -> Option<Place> {
        if let Some(helper) = longest(&self.helpers, registry, repository) {
            return Some(Place::Helper { helper: helper.clone(), server: server(registry) });
        }
        if let Some(credential) = longest(&self.entries, registry, repository) {
            return Some(Place::Here(credential.clone()));
        }
        self.store.as_ref().map(|store| Place::Helper { helper: store.clone(), server: server(registry) })
    }
}

/// The name under which Docker's helpers know a registry.
fn server(registry: &RegistryName) -> String {
    if registry.as_str() == "docker.io" { DOCKER_HUB.to_owned() } else { registry.to_string() }
}

fn longest<'a, T>(entries: &'a [(Key, T)], registry: &RegistryName, repository: &RepositoryName) -> Option<&'a T> {
    entries
        .iter()
        .filter(|(key, _)| key.registry == *registry && key.covers(repository))
        .max_by_key(|(key, _)| key.path.len())
        .map(|(_, value)| value)
}

impl Key {
    /// `host`, `host/path`, or as old Dockers wrote it, `https://host/v1/`. Nothing for keys that name no registry.
    fn parse(text: &str) -> Option<Self> {
        let url = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let (host, path) = url.unwrap_or(text).split_once('/').unwrap_or((url.unwrap_or(text), ""));
        let path = path.trim_matches('/');
        let is_version = url.is_some() && matches!(path, "v1" | "v2");
        Some(Self { registry: host.parse().ok()?, path: if is_version { String::new() } else { path.to_owned() } })
    }

    fn covers(&self, repository: &RepositoryName) -> bool {
        let rest = repository.as_str().strip_prefix(&self.path);
        self.path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Entry {
    /// Nothing where the entry only says that somebody logged in: then a helper keeps the rest.
    fn credential(self, key: &str) -> Result<Option<Credential>, String> {
        if let Some(token) = self.identitytoken.filter(|token| !token.is_empty()) {
            return Ok(Some(Credential::Identity(Secret::new(token))));
        }
        if let Some(auth) = self.auth.filter(|auth| !auth.is_empty()) {
            let fail = || format!("the `auth` of `{key}` is not `user:password` in base64");
            let text = STANDARD.decode(auth.trim()).map_err(|_| fail())?;
            let text = String::from_utf8(text).map_err(|_| fail())?;
            let (username, password) = text.split_once(':').ok_or_else(fail)?;
            return Ok(Some(Credential::Basic {
                username: username.to_owned(),
                password: Secret::new(password.trim_end_matches('\0')),
            }));
        }
        Ok(self
            .username
            .filter(|username| !username.is_empty())
            .zip(self.password)
            .map(|(username, password)| Credential::Basic { username, password: Secret::new(password) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `user:word` of what the file says for a repository.
    fn found(file: &str, registry: &str, repository: &str) -> String {
        let file = CredentialFile::parse(file.as_bytes()).unwrap();
        match file.find(&registry.parse().unwrap(), &repository.parse().unwrap()) {
            Some(Place::Here(Credential::Basic { username, password })) => format!("{username}:{}", password.reveal()),
            Some(Place::Here(Credential::Identity(token))) => format!("token {}", token.reveal()),
            Some(Place::Helper { helper, server }) => format!("{helper} {server}"),
            None => String::new(),
        }
    }

    #[test]
    fn entries_are_found_by_registry_and_longest_path() {
        // a:1, b:2, c:3
        let file = r#"{"auths": {
            "r.io": {"auth": "YTox"},
            "r.io/team": {"auth": "Yjoy"},
            "r.io/team/app": {"auth": "Yzoz"},
            "https://old.io/v1/": {"auth": "YTox"},
            "https://index.docker.io/v1/": {"username": "hub", "password": "x:y"},
            "azure.azurecr.io": {"auth": "YTox", "identitytoken": "jwt"},
            "kept.io": {},
            "not a host": {"auth": "YTox"}
        }}"#;
        for (registry, repository, expected) in [
            ("r.io", "other", "a:1"),
            ("r.io", "team", "b:2"),
            ("r.io", "team/x", "b:2"),
            ("r.io", "team/app/y", "c:3"),
            ("r.io", "teamwork", "a:1"),
            ("old.io", "a", "a:1"),
            ("docker.io", "library/a", "hub:x:y"),
            ("azure.azurecr.io", "a", "token jwt"),
            ("kept.io", "a", ""),
            ("r.io:5000", "team", ""),
        ] {
            assert_eq!(found(file, registry, repository), expected, "{registry}/{repository}");
        }
    }

    #[test]
    fn a_helper_of_the_registry_goes_before_an_entry_and_the_store_comes_last() {
        let file = r#"{"auths": {"r.io": {"auth": "YTox"}, "s.io": {"auth": "YTox"}},
            "credHelpers": {"r.io": "one", "docker.io": "hub"}, "credsStore": "all"}"#;
        assert_eq!(found(file, "r.io", "a"), "one r.io");
        assert_eq!(found(file, "docker.io", "a/b"), "hub https://index.docker.io/v1/");
        assert_eq!(found(file, "s.io", "a"), "a:1");
        assert_eq!(found(file, "t.io:5000", "a"), "all t.io:5000");
    }

    #[test]
    fn what_is_no_credential_file_is_refused_without_quoting_it() {
        for bad in [r#"{"auths": "hunter2"}"#, r#"{"auths": {"r.io": {"auth": "hunter2"}}}"#, "hunter2"] {
            let error = CredentialFile::parse(bad.as_bytes()).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
