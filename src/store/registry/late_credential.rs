use super::{Credential, CredentialError};
use crate::secret::LateSecret;

/// A user and a password that are looked for when the registry asks.
#[derive(Debug, Clone)]
pub struct LateCredential {
    /// The user.
    pub username: LateText,
    /// The password.
    pub password: LateSecret,
}

/// Text that is known, or a secret.
#[derive(Debug, Clone)]
pub enum LateText {
    /// As it is.
    Text(String),
    /// To be looked for.
    Secret(LateSecret),
}

impl LateCredential {
    pub(super) async fn find(&self) -> Result<Credential, CredentialError> {
        let username = match &self.username {
            LateText::Text(text) => text.clone(),
            LateText::Secret(secret) => secret.value().await?.reveal().to_owned(),
        };
        Ok(Credential::Basic { username, password: self.password.value().await? })
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &LateSecret> {
        let username = match &self.username {
            LateText::Text(_) => None,
            LateText::Secret(secret) => Some(secret),
        };
        username.into_iter().chain([&self.password])
    }
}
