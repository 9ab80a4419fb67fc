//! Programs that keep credentials: `docker-credential-NAME get`, `store` and `erase`.
//!
//! <https://github.com/docker/docker-credential-helpers#development>

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt, process::Command, sync::OnceCell};

use super::{Credential, CredentialError, CredentialSource, Login, Secret};

type Answer = Arc<OnceCell<Result<Option<Login>, CredentialError>>>;

/// Asks helpers, each once for each server in a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Helpers {
    answers: Arc<Mutex<HashMap<(String, String), Answer>>>,
}

/// A program that keeps credentials.
#[derive(Debug)]
pub(super) struct Helper {
    program: String,
    limit: Duration,
}

/// What `get` answers and `store` takes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ServerURL", default)]
    server: String,
    username: String,
    secret: String,
}

/// The user's name where the secret is an identity token.
const TOKEN_USER: &str = "<token>";
/// A helper may ask a person or a cloud, but not for ever.
const LIMIT: Duration = Duration::from_secs(30);

impl Helpers {
    /// The login for `server`, if the helper has one. One that fails is not run again: it may have kept everybody
    /// waiting for long enough.
    pub(super) async fn ask(&self, helper: &str, server: &str) -> Result<Option<Login>, CredentialError> {
        let answer = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry((helper.to_owned(), server.to_owned())).or_default())
        };
        answer.get_or_init(|| async { Helper::new(helper)?.get(server).await }).await.clone()
    }
}

impl Helper {
    /// The helper of that name. A name that is a path would run something else.
    pub(super) fn new(name: &str) -> Result<Self, CredentialError> {
        let program = format!("docker-credential-{name}");
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            let message = "its name may have letters, digits, `-`, `_` and `.` only".to_owned();
            return Err(CredentialError::Helper { program, message });
        }
        Ok(Self { program, limit: LIMIT })
    }

    /// What an error may say about credentials from here.
    pub(super) fn source(&self, server: &str) -> CredentialSource {
        CredentialSource::Helper { program: self.program.clone(), server: server.to_owned() }
    }

    async fn get(&self, server: &str) -> Result<Option<Login>, CredentialError> {
        let Some(said) = self.run("get", server.as_bytes()).await? else { return Ok(None) };
        let entry: Entry =
            serde_json::from_slice(&said).map_err(|_| self.error("its answer is not a credential".to_owned()))?;
        let secret = Secret::new(entry.secret);
        let credential = match entry.username {
            _ if secret.reveal().is_empty() => return Ok(None),
            name if name == TOKEN_USER => Credential::Identity(secret),
            username => Credential::Basic { username, password: secret },
        };
        Ok(Some(Login { credential, source: self.source(server) }))
    }

    /// Keeps a login.
    pub(super) async fn store(&self, server: &str, credential: &Credential) -> Result<(), CredentialError> {
        let (username, secret) = match credential {
            Credential::Basic { username, password } => (username.as_str(), password),
            Credential::Identity(token) | Credential::Token(token) => (TOKEN_USER, token),
        };
        let entry =
            Entry { server: server.to_owned(), username: username.to_owned(), secret: secret.reveal().to_owned() };
        let text = serde_json::to_vec(&entry).map_err(|error| self.error(error.to_string()))?;
        self.run("store", &text).await.map(drop)
    }

    /// Forgets a login, if there is one.
    pub(super) async fn erase(&self, server: &str) -> Result<(), CredentialError> {
        self.run("erase", server.as_bytes()).await.map(drop)
    }

    /// What the helper says to that. Nothing: it does not know the server.
    async fn run(&self, verb: &str, input: &[u8]) -> Result<Option<Vec<u8>>, CredentialError> {
        let mut child = Command::new(&self.program)
            .arg(verb)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.error(error.to_string()))?;
        let talk = async {
            if let Some(mut stdin) = child.stdin.take() {
                // A helper that does not read has no answer either; its status says so.
                let _ = stdin.write_all(input).await;
            }
            child.wait_with_output().await
        };
        let output = tokio::time::timeout(self.limit, talk)
            .await
            .map_err(|_| self.error(format!("no answer to `{verb}` after {} seconds", self.limit.as_secs())))?
            .map_err(|error| self.error(error.to_string()))?;
        if output.status.success() {
            return Ok(Some(output.stdout));
        }
        // Every helper says it in these words, on stdout; nothing else there is for people.
        let said = String::from_utf8_lossy(&output.stdout);
        if said.contains("credentials not found") {
            Ok(None)
        } else {
            Err(self.error(format!("`{verb}` failed with {}", output.status)))
        }
    }

    fn error(&self, message: String) -> CredentialError {
        CredentialError::Helper { program: self.program.clone(), message }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use super::*;

    /// A helper that is this script.
    fn helper(folder: &Path, script: &str) -> Helper {
        let path = folder.join("docker-credential-test");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Helper { program: path.to_str().unwrap().to_owned(), limit: Duration::from_secs(20) }
    }

    fn message<T>(result: Result<T, CredentialError>) -> Result<T, String> {
        result.map_err(|error| match error {
            CredentialError::Helper { message, .. } => message,
            other => other.to_string(),
        })
    }

    /// What a helper that is this script says about `r.io`.
    async fn ask(script: &str, limit: Duration) -> Result<Option<Credential>, String> {
        let folder = tempfile::tempdir().unwrap();
        let helper = Helper { limit, ..helper(folder.path(), script) };
        message(helper.get("r.io").await).map(|login| login.map(|login| login.credential))
    }

    #[tokio::test]
    async fn a_helper_is_told_the_server_and_answers() {
        let limit = Duration::from_secs(20);
        let script = r#"read server; [ "$1" = get ] && echo "{\"ServerURL\":\"x\",\"Username\":\"me\",\"Secret\":\"for $server\"}""#;
        let expected = Credential::Basic { username: "me".to_owned(), password: Secret::new("for r.io") };
        assert_eq!(ask(script, limit).await, Ok(Some(expected)));
        let script = r#"echo '{"Username":"<token>","Secret":"jwt"}'"#;
        assert_eq!(ask(script, limit).await, Ok(Some(Credential::Identity(Secret::new("jwt")))));
        let script = "echo 'credentials not found in native keychain'; exit 1";
        assert_eq!(ask(script, limit).await, Ok(None));
    }

    #[tokio::test]
    async fn a_helper_that_fails_is_not_nobody() {
        let limit = Duration::from_secs(20);
        assert_eq!(ask("echo hunter2; exit 3", limit).await, Err("`get` failed with exit status: 3".to_owned()));
        assert_eq!(ask("echo hunter2", limit).await, Err("its answer is not a credential".to_owned()));
        let slow = ask("exec sleep 600", Duration::from_millis(50)).await;
        assert_eq!(slow, Err("no answer to `get` after 0 seconds".to_owned()));
    }

    #[tokio::test]
    async fn a_helper_keeps_and_forgets() {
        let folder = tempfile::tempdir().unwrap();
        let said = folder.path().join("said");
        let helper = helper(folder.path(), &format!("(echo \"$1\"; cat; echo) >>{}", said.display()));
        let me = Credential::Basic { username: "me".to_owned(), password: Secret::new("a\"b") };
        helper.store("r.io", &me).await.unwrap();
        helper.store("r.io", &Credential::Identity(Secret::new("jwt"))).await.unwrap();
        helper.erase("r.io").await.unwrap();
        let expected = "store\n{\"ServerURL\":\"r.io\",\"Username\":\"me\",\"Secret\":\"a\\\"b\"}\n\
            store\n{\"ServerURL\":\"r.io\",\"Username\":\"<token>\",\"Secret\":\"jwt\"}\nerase\nr.io\n";
        assert_eq!(fs::read_to_string(said).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_helper_that_is_not_there_is_asked_once() {
        let helpers = Helpers::default();
        let first = helpers.ask("consign-no-such-helper", "r.io").await.unwrap_err();
        assert!(first.to_string().starts_with("the credential helper `docker-credential-consign-no-such-helper`: "));
        assert_eq!(helpers.ask("consign-no-such-helper", "r.io").await, Err(first));
    }

    #[test]
    fn a_name_that_is_a_path_is_refused() {
        for bad in ["", "../x", "a b", "a/b"] {
            assert!(Helper::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Helper::new("ecr-login").unwrap().program, "docker-credential-ecr-login");
    }
}
