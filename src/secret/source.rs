use std::{env, path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt},
    process::Command,
};

use super::{Secret, SecretProblem};

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable; one that is empty counts as not set.
    Environment(String),
    /// A file; the newline at its end does not count.
    File(PathBuf),
    /// What a program writes to stdout; the newline at its end does not count.
    Command {
        /// The program.
        program: String,
        /// What it is called with.
        arguments: Vec<String>,
        /// Where it runs.
        folder: PathBuf,
    },
}

/// A program may ask a vault, but not for ever.
const LIMIT: Duration = Duration::from_mins(1);
/// Keys and certificates have some kilobytes.
const LONGEST: usize = 1024 * 1024;

impl SecretSource {
    /// What stands there now.
    pub(super) async fn find(&self) -> Result<Secret, SecretProblem> {
        self.find_within(LIMIT).await
    }

    /// Why nothing will be found, as far as that can be told from outside.
    pub(super) fn missing(&self) -> Option<SecretProblem> {
        match self {
            Self::Environment(variable) if env::var_os(variable).is_none_or(|value| value.is_empty()) => {
                Some(SecretProblem::Unset { variable: variable.clone() })
            }
            Self::File(path) => {
                let error = path.metadata().err()?;
                Some(SecretProblem::File { path: path.clone(), message: error.to_string() })
            }
            Self::Environment(_) | Self::Command { .. } => None,
        }
    }

    async fn find_within(&self, limit: Duration) -> Result<Secret, SecretProblem> {
        let bytes = match self {
            Self::Environment(variable) => match env::var_os(variable).filter(|value| !value.is_empty()) {
                Some(value) => value.into_encoded_bytes(),
                None => return Err(SecretProblem::Unset { variable: variable.clone() }),
            },
            Self::File(path) => {
                let fail =
                    |error: std::io::Error| SecretProblem::File { path: path.clone(), message: error.to_string() };
                let file = File::open(path).await.map_err(fail)?;
                read(file).await.map_err(fail)?
            }
            Self::Command { program, arguments, folder } => {
                let mut command = Command::new(program);
                command.args(arguments).current_dir(folder);
                tokio::time::timeout(limit, run(program, command))
                    .await
                    .map_err(|_| SecretProblem::Silent { program: program.clone(), limit })??
            }
        };
        self.read(bytes)
    }

    fn read(&self, bytes: Vec<u8>) -> Result<Secret, SecretProblem> {
        if bytes.len() > LONGEST {
            return Err(SecretProblem::TooLong { origin: self.origin(), limit: LONGEST });
        }
        let mut text = String::from_utf8(bytes).map_err(|_| SecretProblem::NotText { origin: self.origin() })?;
        if !matches!(self, Self::Environment(_)) {
            let kept = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
            text.truncate(kept.len());
        }
        if text.is_empty() { Err(SecretProblem::Empty { origin: self.origin() }) } else { Ok(Secret::new(text)) }
    }

    fn origin(&self) -> String {
        match self {
            Self::Environment(variable) => format!("the environment variable `{variable}`"),
            Self::File(path) => format!("the file {}", path.display()),
            Self::Command { program, .. } => format!("what `{program}` writes to stdout"),
        }
    }
}

/// What the program writes. What it writes to stderr is for whoever runs it by hand: nobody knows what stands there.
async fn run(program: &str, mut command: Command) -> Result<Vec<u8>, SecretProblem> {
    let fail =
        |error: std::io::Error| SecretProblem::Program { program: program.to_owned(), message: error.to_string() };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(fail)?;
    let bytes = match child.stdout.take() {
        Some(stdout) => read(stdout).await.map_err(fail)?,
        None => Vec::new(),
    };
    let status = child.wait().await.map_err(fail)?;
    if status.success() || bytes.len() > LONGEST {
        Ok(bytes)
    } else {
        Err(SecretProblem::Failed { program: program.to_owned(), status })
    }
}

/// At most one byte more than a secret may have.
async fn read(from: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LONGEST as u64 + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{LateSecret, SecretError},
        *,
    };

    fn shell(script: &str) -> SecretSource {
        let arguments = vec!["-c".to_owned(), script.to_owned()];
        SecretSource::Command { program: "sh".to_owned(), arguments, folder: env::temp_dir() }
    }

    async fn found(source: &SecretSource) -> Result<String, String> {
        let secret = source.find().await.map_err(|problem| problem.to_string())?;
        Ok(secret.reveal().to_owned())
    }

    #[tokio::test]
    async fn a_secret_is_what_stands_there_without_the_newline_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = |text: &str| {
            let path = folder.path().join("secret");
            std::fs::write(&path, text).unwrap();
            SecretSource::File(path)
        };
        assert_eq!(found(&file("hunter2\n")).await.as_deref(), Ok("hunter2"));
        assert_eq!(found(&file(" hunter2 \r\n")).await.as_deref(), Ok(" hunter2 "));
        assert_eq!(found(&file("one\ntwo\n\n")).await.as_deref(), Ok("one\ntwo\n"));
        assert!(found(&file("\n")).await.unwrap_err().ends_with("/secret holds nothing"));
        // Cargo sets it for every test.
        let source = SecretSource::Environment("CARGO_PKG_NAME".to_owned());
        assert_eq!(found(&source).await.as_deref(), Ok("consign"));
        let source = SecretSource::Environment("CONSIGN_TEST_UNSET".to_owned());
        assert_eq!(found(&source).await.unwrap_err(), "the environment variable `CONSIGN_TEST_UNSET` is not set");
        let source = SecretSource::File(folder.path().join("none"));
        assert!(found(&source).await.unwrap_err().contains("/none cannot be read: "));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_gives_a_secret_or_fails_without_being_quoted() {
        assert_eq!(found(&shell("printf 'hunter2\\n'")).await.as_deref(), Ok("hunter2"));
        let failed = found(&shell("echo hunter2; echo hunter2 >&2; exit 3")).await.unwrap_err();
        assert_eq!(failed, "`sh` failed with exit status: 3");
        let long = found(&shell("head -c 2000000 /dev/zero")).await.unwrap_err();
        assert_eq!(long, "what `sh` writes to stdout holds more than 1048576 bytes");
        let program = "consign-no-such-program".to_owned();
        let source = SecretSource::Command { program, arguments: Vec::new(), folder: env::temp_dir() };
        assert!(found(&source).await.unwrap_err().starts_with("`consign-no-such-program` cannot be run: "));
        let silent = shell("sleep 60").find_within(Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(silent.to_string(), "`sh` gave no answer after 0 seconds");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_is_asked_once_for_all_who_need_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asked");
        let secret = LateSecret::new("TOKEN".into(), shell(&format!("echo x >> {}; echo hunter2", path.display())));
        assert_eq!(secret.missing(), None);
        assert!(!path.exists());
        let values = futures_util::future::join_all((0..4).map(|_| secret.value())).await;
        assert!(values.into_iter().all(|value| value.unwrap().reveal() == "hunter2"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "x\n");
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let secret = LateSecret::new("TOKEN".into(), SecretSource::Environment("CONSIGN_TEST_UNSET".to_owned()));
        let problem = SecretProblem::Unset { variable: "CONSIGN_TEST_UNSET".to_owned() };
        let expected = SecretError { name: "TOKEN".into(), problem };
        assert_eq!((secret.missing(), secret.value().await.unwrap_err()), (Some(expected.clone()), expected.clone()));
        let message = "the secret `TOKEN`: the environment variable `CONSIGN_TEST_UNSET` is not set";
        assert_eq!(expected.to_string(), message);
    }
}
