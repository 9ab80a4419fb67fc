use std::{path::PathBuf, process::Stdio, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::Command,
};

use super::{Metadata, PluginError};

/// A plugin that is installed. It is run for each question, and killed where nobody waits for its answer any more.
#[derive(Debug, Clone)]
pub struct Plugin {
    name: String,
    path: PathBuf,
    limit: Duration,
    longest: usize,
}

/// A key in a cloud answers within seconds, a person at a token within a minute or two.
const LIMIT: Duration = Duration::from_mins(5);
/// As the protocol has it.
const LONGEST: usize = 64 * 1024 * 1024;
/// The version of the protocol that is spoken.
const CONTRACT: &str = "1.0";

/// What a plugin says on stderr where it fails.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    error_code: String,
    #[serde(default)]
    error_message: String,
}

impl Plugin {
    pub(super) fn new(name: &str, path: PathBuf) -> Self {
        Self { name: name.to_owned(), path, limit: LIMIT, longest: LONGEST }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same, waited for so long, and read so far.
    #[cfg(test)]
    pub(super) fn within(self, limit: Duration, longest: usize) -> Self {
        Self { limit, longest, ..self }
    }

    /// What it says of itself. One that speaks another version of the protocol is an error.
    pub async fn metadata(&self, config: &Map<String, Value>) -> Result<Metadata, PluginError> {
        let command = "get-plugin-metadata";
        let metadata: Metadata = self.ask(command, &json!({ "pluginConfig": config })).await?;
        let fail =
            |problem: &str| PluginError::Answer { name: self.name.clone(), command, problem: problem.to_owned() };
        if metadata.name != self.name {
            return Err(fail("it has another name"));
        }
        if !metadata.supported_contract_versions.iter().any(|version| version == CONTRACT) {
            return Err(fail("it does not speak version 1.0 of the protocol"));
        }
        Ok(metadata)
    }

    /// Asks it something; the version of the protocol is added.
    pub async fn ask_with<T: DeserializeOwned>(
        &self,
        command: &'static str,
        mut request: Map<String, Value>,
    ) -> Result<T, PluginError> {
        request.insert("contractVersion".to_owned(), json!(CONTRACT));
        self.ask(command, &Value::Object(request)).await
    }

    async fn ask<T: DeserializeOwned>(&self, command: &'static str, request: &Value) -> Result<T, PluginError> {
        let silent = |_| PluginError::Silent { name: self.name.clone(), command, limit: self.limit };
        let answer =
            tokio::time::timeout(self.limit, self.run(command, request.to_string())).await.map_err(silent)??;
        serde_json::from_slice(&answer).map_err(|error| PluginError::Answer {
            name: self.name.clone(),
            command,
            problem: error.to_string(),
        })
    }

    async fn run(&self, command: &'static str, request: String) -> Result<Vec<u8>, PluginError> {
        let start = |error: std::io::Error| PluginError::Start { name: self.name.clone(), message: error.to_string() };
        let mut child = Command::new(&self.path)
            .arg(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(start)?;
        let (mut stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(stdin) = &mut stdin {
                // A plugin that does not read its question may still have an answer.
                let _ = stdin.write_all(request.as_bytes()).await;
            }
            drop(stdin.take());
        };
        let ((), out, error) = tokio::join!(write, self.read(stdout), self.read(stderr));
        let (out, error) = (out.map_err(start)?, error.map_err(start)?);
        if out.len() > self.longest || error.len() > self.longest {
            return Err(PluginError::TooLong { name: self.name.clone(), command, limit: self.longest });
        }
        let status = child.wait().await.map_err(start)?;
        if status.success() {
            return Ok(out);
        }
        let failure = serde_json::from_slice::<Failure>(&error);
        let (code, message) = match failure {
            Ok(failure) => (failure.error_code, failure.error_message),
            // Anything may stand there, and nobody has said that it may be shown.
            Err(_) => ("ERROR".to_owned(), format!("it ended with {status}, without a word that the protocol knows")),
        };
        // They are shown in a terminal.
        let plain = |text: String| text.chars().filter(|letter| !letter.is_control()).take(1000).collect();
        Err(PluginError::Failed { name: self.name.clone(), command, code: plain(code), message: plain(message) })
    }

    /// One byte more than may be there, at most.
    async fn read(&self, from: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(from) = from {
            from.take(self.longest as u64 + 1).read_to_end(&mut bytes).await?;
        }
        Ok(bytes)
    }
}
