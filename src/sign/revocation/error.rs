use std::fmt::Display;

use jiff::Timestamp;

use crate::sign::{WebError, certificate::CertificateError};

/// Why a certificate does not count any more, or why nobody can say that it does.
#[derive(Debug, thiserror::Error)]
pub enum RevocationError {
    /// Its authority has revoked it.
    #[error("the certificate `{subject}` was revoked at {at}{}", for_reason(reason.as_deref()))]
    Revoked {
        /// Which.
        subject: String,
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: Option<String>,
    },
    /// Nobody says.
    #[error("whether the certificate `{subject}` was revoked cannot be told: {}", reasons.join("; "))]
    Unknown {
        /// Which.
        subject: String,
        /// What each of those said who were asked.
        reasons: Vec<String>,
    },
    /// A service gave no answer.
    #[error(transparent)]
    Web(#[from] WebError),
    /// What a service said cannot be read, or does not count.
    #[error("what {url} says does not count: {problem}")]
    Answer {
        /// Who said it.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A certificate cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

fn for_reason(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(", for the reason `{reason}`"))
}

impl RevocationError {
    pub(super) fn answer(url: &str, problem: impl Display) -> Self {
        Self::Answer { url: url.to_owned(), problem: format!("{problem}") }
    }
}
