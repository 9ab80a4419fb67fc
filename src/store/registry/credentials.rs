use std::{collections::BTreeMap, env, ffi::OsString, path::PathBuf, sync::Arc};

use tokio::sync::OnceCell;

use super::{
    Credential, CredentialSource, LateCredential, Login, Secret,
    credential_file::{CredentialFile, Origin, Place},
    credential_helper::Helpers,
};
use crate::{
    oci::{RegistryName, RepositoryName},
    secret::SecretError,
};

/// Where credentials come from: those that were given, then the files of Docker and Podman and the helpers they name.
///
/// Files are read and helpers run when a registry asks for the first time.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    given: BTreeMap<RegistryName, Credential>,
    late: BTreeMap<RegistryName, LateCredential>,
    /// The text of a file.
    literal: Option<Secret>,
    files: Vec<PathBuf>,
    read: Arc<OnceCell<Vec<CredentialFile>>>,
    helpers: Helpers,
}

/// Why credentials could not be read or kept. It never holds what a file or a helper says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// A file is there, but cannot be used.
    #[error("the credential file `{}`: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A variable is set, but cannot be used.
    #[error("the credentials in `{name}`: {message}")]
    Variable {
        /// The variable.
        name: &'static str,
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
    /// Nobody says where credentials are kept.
    #[error("there is no home folder to keep a login in: set `DOCKER_CONFIG` to a folder")]
    NoFile,
}

/// What Docker and GitLab take the text of a credential file from.
const LITERAL: &str = "DOCKER_AUTH_CONFIG";

impl Credentials {
    /// Nobody, everywhere.
    pub fn none() -> Self {
        Self::default()
    }

    /// What Docker and Podman use here: the text in `DOCKER_AUTH_CONFIG`; then `REGISTRY_AUTH_FILE` alone where it is
    /// set, otherwise Docker's `config.json` (under `DOCKER_CONFIG` or the home folder) and Podman's `auth.json`. The
    /// first that knows a registry decides.
    pub fn from_environment() -> Self {
        let literal = variable(LITERAL).map(|text| Secret::new(text.to_string_lossy()));
        Self { literal, ..Self::from_files(credential_files(variable, user())) }
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

    /// Who to be for that repository, or for the registry as a whole, if anybody.
    pub async fn find(
        &self,
        registry: &RegistryName,
        repository: Option<&RepositoryName>,
    ) -> Result<Option<Login>, CredentialError> {
        if let Some(given) = self.given.get(registry) {
            let source = CredentialSource::Given { registry: registry.clone() };
            return Ok(Some(Login { credential: given.clone(), source }));
        }
        if let Some(late) = self.late.get(registry) {
            let source = CredentialSource::Given { registry: registry.clone() };
            return Ok(Some(Login { credential: late.find().await?, source }));
        }
        for file in self.read.get_or_try_init(|| self.read_all()).await? {
            for place in file.find(registry, repository)? {
                let found = match place {
                    Place::Here(login) => Some(login),
                    Place::Helper { helper, server } => self.helpers.ask(&helper, &server).await?,
                };
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    async fn read_all(&self) -> Result<Vec<CredentialFile>, CredentialError> {
        let mut read = Vec::new();
        if let Some(text) = &self.literal {
            read.push(CredentialFile::parse(text.reveal().as_bytes(), Origin::Variable(LITERAL))?);
        }
        for path in &self.files {
            read.extend(CredentialFile::read(path).await?);
        }
        Ok(read)
    }
}

/// A variable of the environment, unless it is empty.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The file that logins are kept in: the one that is read first.
pub(super) fn login_file() -> Result<PathBuf, CredentialError> {
    credential_files(variable, None).into_iter().next().ok_or(CredentialError::NoFile)
}

/// The number of the user whom this process works for, where the system tells.
fn user() -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata("/proc/self").ok().map(|process| process.uid())
    }
    #[cfg(not(unix))]
    None
}

/// The files in the order in which they are asked, where `variable` reads the environment.
///
/// <https://github.com/containers/image/blob/v5.36.0/docs/containers-auth.json.5.md>
fn credential_files(variable: impl Fn(&str) -> Option<OsString>, user: Option<u32>) -> Vec<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from);
    if let Some(file) = folder("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let home = folder("HOME").or_else(|| folder("USERPROFILE"));
    let docker = folder("DOCKER_CONFIG").or_else(|| home.as_ref().map(|home| home.join(".docker")));
    // Podman's own default where nobody has made a folder for the session of the user.
    let run_time = match folder("XDG_RUNTIME_DIR") {
        Some(folder) => Some(folder.join("containers/auth.json")),
        None => user.map(|user| PathBuf::from(format!("/run/containers/{user}/auth.json"))),
    };
    let config = folder("XDG_CONFIG_HOME").or_else(|| home.map(|home| home.join(".config")));
    docker
        .map(|folder| folder.join("config.json"))
        .into_iter()
        .chain(run_time)
        .chain(config.map(|folder| folder.join("containers/auth.json")))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn files(environment: &[(&str, &str)]) -> Vec<String> {
        let variable =
            |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        credential_files(variable, None).iter().map(|path| path.display().to_string()).collect()
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
        let nothing = |_: &str| None;
        assert_eq!(credential_files(nothing, Some(1000)), [PathBuf::from("/run/containers/1000/auth.json")]);
    }

    /// The user for a registry as a whole, and where it was found below `folder`.
    async fn user(credentials: &Credentials, registry: &str, folder: &Path) -> String {
        let login = credentials.find(&registry.parse().unwrap(), None).await.unwrap();
        let Some(Login { credential, source }) = login else { return "nobody".to_owned() };
        let user = match credential {
            Credential::Basic { username, .. } => username,
            Credential::Identity(_) => "identity".to_owned(),
            Credential::Token(_) => "token".to_owned(),
        };
        format!("{user} of {source}").replace(folder.to_str().unwrap(), "")
    }

    #[tokio::test]
    async fn what_is_given_goes_first_then_the_literal_then_the_first_file_that_knows_a_registry() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        // zero:0, one:1 and two:2
        std::fs::write(&first, r#"{"auths":{"r.io":{"auth":"b25lOjE="},"e.io":{"auth":"b25lOjE="}}}"#).unwrap();
        std::fs::write(&second, r#"{"auths":{"r.io":{"auth":"dHdvOjI="},"s.io":{"auth":"dHdvOjI="}}}"#).unwrap();
        let given = Credential::Identity(Secret::new("t"));
        let credentials = Credentials {
            literal: Some(Secret::new(r#"{"auths":{"e.io":{"auth":"emVybzow"},"g.io":{"auth":"emVybzow"}}}"#)),
            ..Credentials::from_files(vec![folder.path().join("none"), first, second])
        }
        .with("g.io".parse().unwrap(), given);
        for (registry, expected) in [
            ("g.io", "identity of `registries`, entry `g.io`"),
            ("e.io", "zero of `DOCKER_AUTH_CONFIG`, entry `e.io`"),
            ("r.io", "one of `/first`, entry `r.io`"),
            ("s.io", "two of `/second`, entry `s.io`"),
            ("other.io", "nobody"),
        ] {
            assert_eq!(user(&credentials, registry, folder.path()).await, expected, "{registry}");
        }
    }

    #[tokio::test]
    async fn what_is_broken_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let text = r#"{"auths": {"r.io": {"auth": "c2VjcmV0OnNlY3JldA==", "#;
        std::fs::write(&path, text).unwrap();
        let file = Credentials::from_files(vec![path.clone()]);
        let literal = Credentials { literal: Some(Secret::new(text)), ..Credentials::none() };
        for (credentials, start) in [
            (file, format!("the credential file `{}`: ", path.display())),
            (literal, "the credentials in `DOCKER_AUTH_CONFIG`: ".to_owned()),
        ] {
            let error = credentials.find(&"r.io".parse().unwrap(), None).await.unwrap_err().to_string();
            assert!(error.starts_with(&start), "{error}");
            let shown = format!("{error} {credentials:?}");
            assert!(!shown.contains("c2VjcmV0"), "{shown}");
        }
    }
}
