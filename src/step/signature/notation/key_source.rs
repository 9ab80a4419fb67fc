use serde_json::{Map, Value};

use crate::{
    sign::notation::{Home, NamedKey},
    step::{FileOrSecret, StepContext, StepError, signature::files},
};

/// Where the key of a signer is.
#[derive(Debug)]
pub(super) enum KeySource {
    /// In files or secrets, its certificates beside it.
    Pem { key: FileOrSecret, certificates: FileOrSecret },
    /// In files that notation knows.
    Files(NamedKey),
    /// With a plugin.
    Plugin { name: String, id: String, config: Map<String, Value> },
}

/// What stands before the name of a key that notation knows.
pub(in crate::step) const NAMED: &str = "notation:";

/// Finds out what notation calls `name`.
pub(super) async fn named(name: &str) -> Result<KeySource, StepError> {
    let list = Home::of_user().map(|home| home.signing_keys());
    let list = list.ok_or_else(|| StepError::Unreadable {
        path: format!("{NAMED}{name}"),
        message: "there is no home folder: set `HOME` or `XDG_CONFIG_HOME`".to_owned(),
    })?;
    let shown = list.display().to_string();
    let fail = |source| StepError::NamedKey { path: shown.clone(), source };
    let (path, here) = (list.clone(), shown.clone());
    let read = tokio::task::spawn_blocking(move || files::read(&path, &here));
    let bytes = read.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })??;
    Ok(match NamedKey::find(&bytes, name).map_err(fail)? {
        NamedKey::Plugin { plugin, id, config } => KeySource::Plugin { name: plugin, id, config },
        files @ NamedKey::Files { .. } => KeySource::Files(files),
    })
}

impl KeySource {
    /// The key and its certificates, PEM, each with what it is called; nothing where a plugin has them.
    pub(super) async fn read(&self, cx: &StepContext) -> Result<Option<[(String, Vec<u8>); 2]>, StepError> {
        match self {
            Self::Pem { key, certificates } => {
                let pem = key.read(cx).await?;
                let key = (key.shown(), pem.reveal().as_bytes().to_vec());
                let bytes = match certificates.file() {
                    Some(path) => read_file(cx.places.source(path), path.value.clone()).await?,
                    None => certificates.read(cx).await?.reveal().as_bytes().to_vec(),
                };
                Ok(Some([key, (certificates.shown(), bytes)]))
            }
            Self::Files(NamedKey::Files { key, certificates }) => {
                let shown = |path: &std::path::Path| path.display().to_string();
                let pem = read_file(key.clone(), shown(key)).await?;
                let bytes = read_file(certificates.clone(), shown(certificates)).await?;
                let quoted = |path: &std::path::Path| format!("`{}`", path.display());
                Ok(Some([(quoted(key), pem), (quoted(certificates), bytes)]))
            }
            Self::Files(NamedKey::Plugin { .. }) | Self::Plugin { .. } => Ok(None),
        }
    }
}

async fn read_file(path: std::path::PathBuf, shown: String) -> Result<Vec<u8>, StepError> {
    let read = tokio::task::spawn_blocking(move || files::read(&path, &shown));
    read.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })?
}
