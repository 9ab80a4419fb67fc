use std::{fmt, time::Duration};

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use super::{Access, CredentialError, origin::LeadError};
use crate::{store::OutOfPatience, text};

/// The header that says what is handed out. It was optional for a long time, so it may be missing.
pub(super) const DIGEST: &str = "Docker-Content-Digest";

/// Why a registry, or the way to it, did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{method} {url}: {problem}")]
pub struct RegistryError {
    /// The method of the request.
    pub method: Method,
    /// What was asked, without user, password, query and fragment.
    pub url: String,
    /// What went wrong.
    pub problem: RegistryProblem,
}

/// What went wrong with a request.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryProblem {
    /// The registry answered, and said no.
    #[error("{status}{}", Said(.messages))]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// What the registry said about it.
        messages: Vec<RegistryMessage>,
        /// How long it asked to wait.
        retry_after: Option<Duration>,
        /// Who asked and for what, where that is what the registry did not like.
        access: Option<Box<Access>>,
    },
    /// The registry does not delete manifests.
    #[error("deletes are switched off on this registry{}", Said(.messages))]
    DeletesOff {
        /// What the registry said about it.
        messages: Vec<RegistryMessage>,
    },
    /// The registry deletes manifests, but no tags.
    #[error("this registry cannot delete a tag alone{}", Said(.messages))]
    TagDeletesOff {
        /// What the registry said about it.
        messages: Vec<RegistryMessage>,
    },
    /// The registry does not delete what one of its indexes lists.
    #[error("an index still lists this manifest{}", Said(.messages))]
    StillListed {
        /// What the registry said about it.
        messages: Vec<RegistryMessage>,
    },
    /// No answer came, or it broke off.
    #[error("{message}")]
    Network {
        /// What the transport said, outermost first.
        message: String,
    },
    /// One of the two does not believe who the other is. Waiting does not help.
    #[error("{message}")]
    Certificate {
        /// What the transport said, outermost first.
        message: String,
    },
    /// Nothing moved for too long.
    #[error("nothing came for {} seconds", .limit.as_secs())]
    Silent {
        /// How long was waited.
        limit: Duration,
    },
    /// A body that is longer than a client should read.
    #[error("the answer has more than {limit} bytes")]
    TooLong {
        /// In bytes.
        limit: usize,
    },
    /// A header that must be there is missing or wrong.
    #[error("the answer's `{header}` is {value}: {expected} was expected")]
    Header {
        /// The name.
        header: &'static str,
        /// What stands there, or `missing`.
        value: String,
        /// What should stand there.
        expected: String,
    },
    /// A body that is not what the specification says.
    #[error("the answer is not {expected}: {message}")]
    Body {
        /// What it should be.
        expected: &'static str,
        /// How it differs.
        message: String,
    },
    /// The registry names a place where this request may not go.
    #[error(transparent)]
    Lead(#[from] LeadError),
    /// More pages than any list should have, or a page that comes again.
    #[error("the list does not end after {pages} pages")]
    Endless {
        /// How many were read.
        pages: usize,
    },
    /// A list of referrers that other writers keep overwriting.
    #[error("the list of referrers did not hold after {tries} tries: others write it too")]
    Contended {
        /// How often it was written.
        tries: u32,
    },
    /// The tag that should list the referrers of a manifest names something else.
    #[error("the tag is not a list of referrers but a manifest of type `{media_type}`")]
    NotReferrers {
        /// What it names.
        media_type: String,
    },
    /// The plan says that there is a referrers API, and there is none.
    #[error("there is no referrers API here, and the plan says `referrers: api`")]
    NoReferrersApi,
    /// The registry wants peace for longer than there is patience.
    #[error(
        "the registry asks everybody to wait {} more, and {} no longer than {} in all",
        text::duration(.0.wait),
        if .0.is_run { "all steps together wait" } else { "a step waits" },
        text::duration(.0.budget)
    )]
    Peace(OutOfPatience),
    /// The credentials could not be read.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
}

/// One entry of the error body of the distribution specification, or a line of plain text.
///
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryMessage {
    /// Such as `MANIFEST_UNKNOWN`; empty where the body is plain text.
    pub code: String,
    /// For people.
    pub message: String,
}

struct Said<'a>(&'a [RegistryMessage]);

impl RegistryError {
    pub(super) fn new(method: &Method, url: &Url, problem: impl Into<RegistryProblem>) -> Self {
        Self { method: method.clone(), url: shown(url), problem: problem.into() }
    }

    /// Whether the same request may succeed later: the network, 429, and what is the server's fault.
    pub fn is_temporary(&self) -> bool {
        match &self.problem {
            RegistryProblem::Refused { status, .. } => is_temporary(*status),
            RegistryProblem::Network { .. }
            | RegistryProblem::Silent { .. }
            | RegistryProblem::Contended { .. }
            | RegistryProblem::Peace(_) => true,
            _ => false,
        }
    }

    /// Whether the registry says that it hands out something else than what was asked for.
    pub fn is_content(&self) -> bool {
        matches!(self.problem, RegistryProblem::Header { header: DIGEST, .. })
    }

    /// Whether the registry had too much of this client.
    pub fn is_throttled(&self) -> bool {
        match &self.problem {
            RegistryProblem::Refused { status, retry_after, .. } => {
                *status == StatusCode::TOO_MANY_REQUESTS || (retry_after.is_some() && is_temporary(*status))
            }
            RegistryProblem::Peace(_) => true,
            _ => false,
        }
    }

    /// How long the registry asked to wait, where it did.
    pub const fn retry_after(&self) -> Option<Duration> {
        match &self.problem {
            RegistryProblem::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The status of the answer, where it is what went wrong.
    pub const fn status(&self) -> Option<StatusCode> {
        match &self.problem {
            RegistryProblem::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the registry named this code.
    pub fn has_code(&self, wanted: &str) -> bool {
        match &self.problem {
            RegistryProblem::Refused { messages, .. }
            | RegistryProblem::DeletesOff { messages }
            | RegistryProblem::StillListed { messages }
            | RegistryProblem::TagDeletesOff { messages } => messages.iter().any(|message| message.code == wanted),
            _ => false,
        }
    }

    /// What else there is to know, one line each.
    pub fn notes(&self) -> Vec<String> {
        match &self.problem {
            RegistryProblem::Refused { access: Some(access), .. } => vec![access.note()],
            _ => Vec::new(),
        }
    }

    /// What a person can do about it.
    pub fn help(&self) -> Option<String> {
        match &self.problem {
            RegistryProblem::Refused { access: Some(access), .. } => Some(access.help()),
            _ => self.usual_help().map(str::to_owned),
        }
    }

    fn usual_help(&self) -> Option<&'static str> {
        match &self.problem {
            RegistryProblem::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED => {
                Some("log in to the registry, for example with `consign login`, and run again")
            }
            RegistryProblem::Refused { status, .. } if *status == StatusCode::FORBIDDEN => {
                Some("who is logged in may not do this: ask for the permission, or log in as somebody else")
            }
            RegistryProblem::Refused { status, .. } if *status == StatusCode::FAILED_DEPENDENCY => {
                Some("this registry asks another one, which did not answer: name that one itself, or try again later")
            }
            RegistryProblem::StillListed { .. } => Some(
                "delete the index first; an index of referrers lists what was attached, and `graph: true` goes through it",
            ),
            RegistryProblem::Certificate { message } if !message.contains("invalid peer") => {
                Some("show the registry a certificate that it takes: `client_cert` and `client_key` under `registries`")
            }
            RegistryProblem::Certificate { .. } => Some(
                "trust who has signed its certificate: `ca_file` under `registries`, `--ca-file` of `consign login`, or `SSL_CERT_FILE`",
            ),
            RegistryProblem::NoReferrersApi => {
                Some("say `referrers: auto` for this registry in the plan, or leave it out")
            }
            RegistryProblem::DeletesOff { .. } => {
                Some("switch deletes on in the registry's configuration, or leave the step out")
            }
            RegistryProblem::TagDeletesOff { .. } => {
                Some("delete the manifest with all its tags instead, or move the tag to another manifest")
            }
            _ => None,
        }
    }
}

/// Whether an answer with this status may be another one later.
pub(super) fn is_temporary(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::REQUEST_TIMEOUT || status.is_server_error()
}

/// A URL as people and logs may see it. Upload sessions and signed links carry what they need in the query.
pub(super) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // These fail only for URLs without a host, which then have no user either.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

/// What a body says about a refusal: the entries of the specification, otherwise its first line.
pub(super) fn messages(body: &[u8]) -> Vec<RegistryMessage> {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        code: serde_json::Value,
        #[serde(default)]
        message: serde_json::Value,
    }
    fn text(value: serde_json::Value) -> String {
        match value {
            serde_json::Value::String(text) => printable(&text),
            serde_json::Value::Null => String::new(),
            other => printable(&other.to_string()),
        }
    }
    if let Ok(body) = serde_json::from_slice::<Body>(body) {
        return body
            .errors
            .into_iter()
            .take(8)
            .map(|entry| RegistryMessage { code: text(entry.code), message: text(entry.message) })
            .collect();
    }
    let body = String::from_utf8_lossy(body);
    let line = body.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.is_empty() || line.starts_with('<') {
        return Vec::new();
    }
    vec![RegistryMessage { code: String::new(), message: printable(line) }]
}

/// One short line without control characters, whatever a registry sends.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(300).collect()
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, message) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { ": " } else { ", " })?;
            match (message.code.as_str(), message.message.as_str()) {
                ("", text) => f.write_str(text)?,
                (code, "") => f.write_str(code)?,
                (code, text) => write!(f, "{code} ({text})")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> RegistryError {
        RegistryError::new(
            &Method::PUT,
            &"https://user:word@example.com/v2/a/blobs/uploads/1?_state=secret#x".parse().unwrap(),
            RegistryProblem::Refused {
                status: StatusCode::from_u16(status).unwrap(),
                messages: messages(body.as_bytes()),
                retry_after: None,
                access: None,
            },
        )
    }

    #[test]
    fn a_refusal_says_what_the_registry_said() {
        let body = r#"{"errors":[{"code":"DENIED","message":"no\u001b[31m way","detail":{"x":1}},{"code":"UNKNOWN"}]}"#;
        let error = refused(403, body);
        assert_eq!(
            error.to_string(),
            "PUT https://example.com/v2/a/blobs/uploads/1: 403 Forbidden: DENIED (no [31m way), UNKNOWN"
        );
        assert!(error.has_code("DENIED") && !error.is_temporary() && error.help().is_some());
    }

    #[test]
    fn bodies_that_are_not_json_are_understood_too() {
        assert_eq!(
            refused(404, "404 page not found\n").to_string(),
            "PUT https://example.com/v2/a/blobs/uploads/1: 404 Not Found: 404 page not found"
        );
        for silent in ["", "<html><body>", "\n\n", r#"{"errors":[]}"#] {
            assert_eq!(
                refused(502, silent).to_string(),
                "PUT https://example.com/v2/a/blobs/uploads/1: 502 Bad Gateway",
                "{silent}"
            );
        }
        assert_eq!(messages(r#"{"errors":[{"code":7,"message":null}]}"#.as_bytes())[0].code, "7");
    }

    #[test]
    fn a_cache_that_cannot_ask_is_told_from_absence() {
        // As Azure's artifact cache answers for referrers.
        let error = refused(424, "");
        assert!(error.help().is_some_and(|help| help.starts_with("this registry asks another one")));
    }

    #[test]
    fn what_may_pass_is_temporary() {
        for (status, temporary) in [(400, false), (401, false), (404, false), (429, true), (500, true), (503, true)] {
            assert_eq!(refused(status, "").is_temporary(), temporary, "{status}");
        }
    }
}
