use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::OnceCell;

use super::{
    LateCredential, Secret,
    credential_file::{CredentialFile, Place},
    credential_helper::Helpers,
};
use crate::{
    oci::{RegistryName, RepositoryName},
    secret::SecretError,
};

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
}

/// Where credentials come from: those that were given, then the files of Docker and Podman and the helpers they name.
///
/// Files are read and helpers run when a registry asks for the first time.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    given: BTreeMap<RegistryName, Credential>,
    late: BTreeMap<RegistryName, LateCredential>,
    files: Vec<PathBuf>,
    read: Arc<OnceCell<Vec<CredentialFile>>>,
    helpers: Helpers,
}

/// Why credentials could not be read. It never holds what a file or a helper says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// A file is there, but cannot be used.
    #[error("the credential file {}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The plan names a secret that has no value.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A helper did not answer.
    #[error("the credential helper `{program}`: {message}")]
    Helper {
        /// What was run.
        program: String,
        /// What is wrong.
        message: String,
    },
}

impl Credentials {
    /// Nobody, everywhere.
    pub fn none() -> Self {
        Self::default()
    }

    /// What Docker and Podman use here: `REGISTRY_AUTH_FILE` alone where it is set, otherwise Docker's `config.json`
    /// (under `DOCKER_CONFIG` or the home folder), then Podman's `auth.json`. The first that knows a registry decides.
    pub fn from_environment() -> Self {
        Self::from_files(credential_files(|name| env::var_os(name).filter(|value| !value.is_empty()).map(Into::into)))
    }

    /// The credential files to read, the first one that knows a registry decides. A file that is not there is empty.
    pub fn from_files(files: Vec<PathBuf>) -> Self {
        Self { files, ..Self::default() }
    }

    /// The same, with this credential for that registry whatever the files say.
    #[must_use]
    pub fn with(mut self, registry: RegistryName, credential: Credential) -> Self {
        self.given.insert(registry, credential);
        self
    }

    /// As [`Credentials::with`], for one that is looked for when it is needed.
    #[must_use]
    pub fn with_late(mut self, registry: RegistryName, credential: LateCredential) -> Self {
        self.late.insert(registry, credential);
        self
    }

    /// Who to be for that repository, if anybody.
    pub(super) async fn find(
        &self,
        registry: &RegistryName,
        repository: &RepositoryName,
    ) -> Result<Option<Credential>, CredentialError> {
        if let Some(given) = self.given.get(registry) {
            return Ok(Some(given.clone()));
        }
        if let Some(late) = self.late.get(registry) {
            return late.find().await.map(Some);
        }
        for file in self.read.get_or_try_init(|| read_all(&self.files)).await? {
            let found = match file.find(registry, repository) {
                Some(Place::Here(credential)) => Some(credential),
                Some(Place::Helper { helper, server }) => self.helpers.ask(&helper, &server).await?,
                None => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

async fn read_all(files: &[PathBuf]) -> Result<Vec<CredentialFile>, CredentialError> {
    let mut read = Vec::new();
    for path in files {
        read.extend(CredentialFile::read(path).await?);
    }
    Ok(read)
}

/// The files in the order in which they are asked, where `variable` reads the environment.
fn credential_files(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    if let Some(file) = variable("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let home = variable("HOME").or_else(|| variable("USERPROFILE"));
    let docker = variable("DOCKER_CONFIG").or_else(|| home.as_ref().map(|home| home.join(".docker")));
    let run_time = variable("XDG_RUNTIME_DIR");
    let config = variable("XDG_CONFIG_HOME").or_else(|| home.map(|home| home.join(".config")));
    let podman = |folder: PathBuf| folder.join(Path::new("containers/auth.json"));
    docker
        .map(|folder| folder.join("config.json"))
        .into_iter()
        .chain(run_time.map(podman))
        .chain(config.map(podman))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(environment: &[(&str, &str)]) -> Vec<String> {
        let variable =
            |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value));
        credential_files(variable).iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_files_of_docker_and_podman_are_found() {
        assert_eq!(files(&[("REGISTRY_AUTH_FILE", "/a.json"), ("HOME", "/h")]), ["/a.json"]);
        assert_eq!(
            files(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/1")]),
            ["/h/.docker/config.json", "/run/1/containers/auth.json", "/h/.config/containers/auth.json"]
        );
        assert_eq!(files(&[("DOCKER_CONFIG", "/d")]), ["/d/config.json"]);
        assert!(files(&[]).is_empty());
    }

    #[tokio::test]
    async fn the_first_file_that_knows_a_registry_decides() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        // one:1 and two:2
        std::fs::write(&first, r#"{"auths":{"r.io":{"auth":"b25lOjE="}}}"#).unwrap();
        std::fs::write(&second, r#"{"auths":{"r.io":{"auth":"dHdvOjI="},"s.io":{"auth":"dHdvOjI="}}}"#).unwrap();
        let given = Credential::Identity(Secret::new("t"));
        let credentials = Credentials::from_files(vec![folder.path().join("none"), first, second])
            .with("g.io".parse().unwrap(), given.clone());
        let user = async |registry: &str| {
            let found = credentials.find(&registry.parse().unwrap(), &"a".parse().unwrap()).await.unwrap();
            match found {
                Some(Credential::Basic { username, .. }) => username,
                Some(Credential::Identity(_)) => "identity".to_owned(),
                None => "nobody".to_owned(),
            }
        };
        assert_eq!(user("r.io").await, "one");
        assert_eq!(user("s.io").await, "two");
        assert_eq!(user("g.io").await, "identity");
        assert_eq!(user("other.io").await, "nobody");
    }

    #[tokio::test]
    async fn a_broken_file_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, r#"{"auths": {"r.io": {"auth": "c2VjcmV0OnNlY3JldA==", "#).unwrap();
        let error = Credentials::from_files(vec![path.clone()])
            .find(&"r.io".parse().unwrap(), &"a".parse().unwrap())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(&format!("the credential file {}: ", path.display())), "{error}");
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }
}
