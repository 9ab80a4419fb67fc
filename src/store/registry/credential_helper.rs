//! Programs that keep credentials: `docker-credential-NAME get`.

use std::{
    collections::HashMap,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use tokio::{io::AsyncWriteExt, process::Command, sync::OnceCell};

use super::{Credential, CredentialError, Secret};

type Answer = Arc<OnceCell<Option<Credential>>>;

/// Asks helpers, each once for each server in a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Helpers {
    answers: Arc<Mutex<HashMap<(String, String), Answer>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    username: String,
    secret: String,
}

impl Helpers {
    /// A helper may ask a person or a cloud, but not for ever.
    const LIMIT: Duration = Duration::from_secs(30);

    /// The credential for `server`, if the helper has one.
    pub(super) async fn ask(&self, helper: &str, server: &str) -> Result<Option<Credential>, CredentialError> {
        let answer = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry((helper.to_owned(), server.to_owned())).or_default())
        };
        answer
            .get_or_try_init(|| async {
                let program = program(helper)?;
                run(&program, server, Self::LIMIT).await
            })
            .await
            .cloned()
    }
}

/// The program's name. A name that is a path would run something else.
fn program(helper: &str) -> Result<String, CredentialError> {
    let program = format!("docker-credential-{helper}");
    if helper.is_empty() || !helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        let message = "its name may have letters, digits, `-`, `_` and `.` only".to_owned();
        return Err(CredentialError::Helper { program, message });
    }
    Ok(program)
}

async fn run(program: &str, server: &str, limit: Duration) -> Result<Option<Credential>, CredentialError> {
    let fail = |message: String| CredentialError::Helper { program: program.to_owned(), message };
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| fail(error.to_string()))?;
    let talk = async {
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read has no answer either; its status says so.
            let _ = stdin.write_all(server.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(limit, talk)
        .await
        .map_err(|_| fail(format!("no answer after {} seconds", limit.as_secs())))?
        .map_err(|error| fail(error.to_string()))?;
    if !output.status.success() {
        // Every helper says it in these words, on stdout; nothing else there is for people.
        let said = String::from_utf8_lossy(&output.stdout);
        return if said.contains("credentials not found") {
            Ok(None)
        } else {
            Err(fail(format!("it failed with {}", output.status)))
        };
    }
    let reply: Reply =
        serde_json::from_slice(&output.stdout).map_err(|_| fail("its answer is not a credential".to_owned()))?;
    Ok(match reply.username.as_str() {
        _ if reply.secret.is_empty() => None,
        "<token>" => Some(Credential::Identity(Secret::new(reply.secret))),
        _ => Some(Credential::Basic { username: reply.username, password: Secret::new(reply.secret) }),
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    /// What a helper that is this script says about `r.io`.
    async fn ask(script: &str, limit: Duration) -> Result<Option<Credential>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker-credential-test");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let answer = run(path.to_str().unwrap(), "r.io", limit).await;
        answer.map_err(|error| match error {
            CredentialError::Helper { message, .. } => message,
            other @ (CredentialError::File { .. } | CredentialError::Secret(_)) => other.to_string(),
        })
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
        assert_eq!(ask("echo hunter2; exit 3", limit).await, Err("it failed with exit status: 3".to_owned()));
        assert_eq!(ask("echo hunter2", limit).await, Err("its answer is not a credential".to_owned()));
        let slow = ask("exec sleep 600", Duration::from_millis(50)).await;
        assert_eq!(slow, Err("no answer after 0 seconds".to_owned()));
    }

    #[test]
    fn a_name_that_is_a_path_is_refused() {
        for bad in ["", "../x", "a b", "a/b"] {
            assert!(program(bad).is_err(), "{bad}");
        }
        assert_eq!(program("ecr-login").unwrap(), "docker-credential-ecr-login");
    }
}
