use std::sync::Arc;

use super::StandIn;
use crate::{
    plan::yaml::{SecretName, Spanned},
    secret::{LateSecret, Secret, SecretSource},
    sign::{
        cosign::{KeyFile, signing_scheme},
        key::{PrivateKey, PublicKey},
    },
    step::{FileOrSecret, StepContext, StepError, signature::files::is_pem},
};

/// What cosign takes a password from, where nothing else is said.
const PASSWORD: &str = "COSIGN_PASSWORD";

/// A key that signs: an encrypted file of cosign, or PEM that is not encrypted. In a rehearsal that was not told otherwise
/// it is a throw-away key.
pub(in crate::step) async fn private_key(
    cx: &StepContext,
    key: &FileOrSecret,
    password: Option<&SecretName>,
) -> Result<Arc<PrivateKey>, StepError> {
    let stands_in = StandIn::is_asked(cx);
    // A preview signs nothing that anybody sees, and has to know whether the plan's own key has signed.
    if stands_in && !(cx.mode.is_preview() && key.file().is_some()) {
        return StandIn::key();
    }
    let text = key.read(cx).await?;
    if stands_in && KeyFile::is(text.reveal()) {
        return StandIn::key();
    }
    let private = if KeyFile::is(text.reveal()) {
        let password = password_of(cx, password).await?;
        // Opening takes a tenth of a second, as it should.
        let opened = tokio::task::spawn_blocking(move || KeyFile::open(text.reveal(), &password));
        let opened = opened.await.map_err(|error| StepError::BrokenOff { message: error.to_string() })?;
        opened.map_err(|source| StepError::KeyFile { key: key.shown(), source })?
    } else {
        PrivateKey::from_pem(text.reveal()).map_err(|source| StepError::Key { key: key.shown(), source })?
    };
    let kind = private.public().kind();
    if signing_scheme(kind).is_none() {
        return Err(StepError::KeyKind { key: key.shown(), kind });
    }
    Ok(Arc::new(private))
}

async fn password_of(cx: &StepContext, password: Option<&SecretName>) -> Result<Secret, StepError> {
    if let Some(name) = password {
        cx.secret(name).await
    } else {
        let source = SecretSource::Environment(PASSWORD.to_owned());
        Ok(LateSecret::new(PASSWORD.into(), source).value().await?)
    }
}

/// The keys in these files, or that are PEM themselves, and the throw-away key where it signs.
pub(super) async fn public_keys(
    cx: &StepContext,
    files: impl Iterator<Item = &Spanned<String>>,
) -> Result<Vec<PublicKey>, StepError> {
    let mut keys = Vec::new();
    for file in files {
        if is_pem(file) {
            let fail = |source| StepError::PublicKey { key: "a key in the plan".to_owned(), source };
            keys.push(PublicKey::from_pem(file).map_err(fail)?);
            continue;
        }
        let file = FileOrSecret::File(file.clone());
        let text = file.read(cx).await?;
        let fail = |source| StepError::PublicKey { key: file.shown(), source };
        keys.push(PublicKey::from_pem(text.reveal()).map_err(fail)?);
    }
    if StandIn::is_asked(cx) {
        keys.push(StandIn::key()?.public().clone());
    }
    Ok(keys)
}
