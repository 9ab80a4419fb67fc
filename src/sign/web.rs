use std::fmt::Debug;

use async_trait::async_trait;

/// Asks services of the web: for timestamps, and whether certificates were revoked.
#[async_trait]
pub trait Web: Debug + Send + Sync {
    /// The body of the answer; an error where there is none, or more than `limit` bytes of it.
    async fn get(&self, url: &str, limit: usize) -> Result<Vec<u8>, WebError>;

    /// The body of the answer to `body`; an error where there is none, or more than `limit` bytes of it.
    async fn post(&self, url: &str, media_type: &str, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, WebError>;
}

/// Why a service gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url} gave no answer: {message}")]
pub struct WebError {
    /// Who was asked, without what only they should know.
    pub url: String,
    /// Why.
    pub message: String,
}
