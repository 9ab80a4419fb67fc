use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    Method, Response, StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
};
use tokio::sync::OwnedSemaphorePermit;
use url::Url;

use super::{Access, RegistryError, RegistryProblem, error};

/// What a registry answered, whatever the status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) method: Method,
    /// Where the answer came from, after redirects.
    pub(super) url: Url,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Empty where the answer is streamed.
    pub(super) body: Bytes,
    /// Whether it took more than one try, so that an earlier one may have done the work.
    pub(super) is_again: bool,
    pub(super) incoming: Option<Incoming>,
    /// Who asked and for what, where the registry says that this may not be.
    pub(super) access: Option<Box<Access>>,
}

/// A body on its way, with the permit that it takes up.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) response: Response,
    /// Go back when the body has ended, or nobody wants it any more.
    pub(super) _permits: Vec<OwnedSemaphorePermit>,
    pub(super) method: Method,
    pub(super) url: Url,
}

impl Incoming {
    /// How long a peer may send nothing.
    pub(super) const SILENCE: Duration = Duration::from_mins(2);

    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, RegistryProblem> {
        match tokio::time::timeout(Self::SILENCE, self.response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(network(error)),
            Err(_) => Err(RegistryProblem::Silent { limit: Self::SILENCE }),
        }
    }

    /// The answer, read to its end. Of one that refuses, what fits in `limit` is enough.
    pub(super) async fn read(mut self, limit: usize) -> Result<Answer, RegistryError> {
        let mut body = BytesMut::new();
        let result = loop {
            match self.piece().await {
                Ok(Some(piece)) if body.len() + piece.len() <= limit => body.extend_from_slice(&piece),
                Ok(Some(_)) if self.response.status().is_success() => break Err(RegistryProblem::TooLong { limit }),
                Ok(_) => break Ok(()),
                Err(problem) => break Err(problem),
            }
        };
        result.map_err(|problem| RegistryError::new(&self.method, &self.url, problem))?;
        Ok(Answer { body: body.freeze(), incoming: None, ..self.unread() })
    }

    /// The answer, with its body still to come.
    pub(super) fn unread(self) -> Answer {
        Answer {
            method: self.method.clone(),
            url: self.url.clone(),
            status: self.response.status(),
            headers: self.response.headers().clone(),
            body: Bytes::new(),
            is_again: false,
            incoming: Some(self),
            access: None,
        }
    }
}

impl Answer {
    /// A header as text, if it is there and is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// Whether the same request may have another answer later.
    pub(super) fn is_temporary(&self) -> bool {
        error::is_temporary(self.status)
    }

    /// How long the registry asks to wait, in seconds or until a date.
    ///
    /// <https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let value = self.header(RETRY_AFTER.as_str())?;
        let wait = if let Ok(seconds) = value.parse() {
            Duration::from_secs(seconds)
        } else {
            // The registry's own clock counts, where it says what it shows.
            let now = self.header(DATE.as_str()).and_then(date).unwrap_or_else(Timestamp::now);
            Duration::try_from(date(value)?.duration_since(now)).unwrap_or_default()
        };
        // Nobody has that much time, and a sum with it must not overflow.
        Some(wait.min(Duration::from_hours(24 * 365)))
    }

    /// The error that this answer is.
    pub(super) fn refused(&self) -> RegistryError {
        let retry_after = self.retry_after();
        let access = self.access.clone();
        self.problem(RegistryProblem::Refused { status: self.status, messages: self.messages(), retry_after, access })
    }

    /// What the body says about a refusal.
    pub(super) fn messages(&self) -> Vec<super::RegistryMessage> {
        error::messages(&self.body)
    }

    /// Whether the registry named this code.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.messages().iter().any(|message| message.code == code)
    }

    /// An error about this answer.
    pub(super) fn problem(&self, problem: impl Into<RegistryProblem>) -> RegistryError {
        RegistryError::new(&self.method, &self.url, problem)
    }
}

/// A date of HTTP.
fn date(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text).ok().map(|date| date.timestamp())
}

/// What the transport said, with its causes and without the URL, whose query may be a secret.
pub(super) fn network(error: reqwest::Error) -> RegistryProblem {
    let error = error.without_url();
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        let text = error.to_string();
        // Layers of the transport often repeat what lies below them.
        if !message.ends_with(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    // The transport has no better way to say it.
    let is_about_certificates = message.contains("invalid peer certificate")
        || (message.contains("received fatal alert") && message.to_lowercase().contains("certificate"));
    if is_about_certificates { RegistryProblem::Certificate { message } } else { RegistryProblem::Network { message } }
}
