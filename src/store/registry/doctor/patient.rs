use std::collections::BTreeMap;

use bytes::Bytes;
use reqwest::{Method, StatusCode, header::HeaderName};
use url::Url;

use super::{Ability, Examination, Verdict};
use crate::{
    oci::{Digest, RepositoryName},
    store::{
        StoreError,
        registry::{Answer, Request, Scope, registry::Registry, request::Body},
    },
};

/// A registry while it is asked: one request at a time, each tried as every other request is.
pub(super) struct Patient<'a> {
    pub(super) registry: &'a Registry,
    pub(super) found: Examination,
    /// The headers of rate limits that were seen, each with its last value.
    pub(super) limits: BTreeMap<String, String>,
}

/// A request to be asked.
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) scope: Scope,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Question {
    pub(super) fn new(method: Method, url: Url, scope: Scope) -> Self {
        Self { method, url, scope, headers: Vec::new(), body: Bytes::new() }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }
}

impl<'a> Patient<'a> {
    pub(super) fn new(registry: &'a Registry, repository: Option<&RepositoryName>) -> Self {
        let found = Examination::new(registry.name.clone(), repository.cloned());
        Self { registry, found, limits: BTreeMap::new() }
    }

    /// The answer, whatever its status. An error: there is none.
    pub(super) async fn ask(&mut self, question: Question) -> Result<Answer, StoreError> {
        let mut request = Request::new(question.method, question.url, question.scope);
        for (name, value) in question.headers {
            request = request.header(HeaderName::from_static(name), &value);
        }
        if !question.body.is_empty() {
            request = request.body(Body::Bytes(question.body));
        }
        let answer = self.registry.send(&request).await?;
        for (name, value) in &answer.headers {
            let is_limit = name.as_str().starts_with("ratelimit-") || name.as_str().starts_with("x-ratelimit-");
            if let (true, Ok(value)) = (is_limit, value.to_str()) {
                self.limits.insert(name.to_string(), value.to_owned());
            }
        }
        Ok(answer)
    }

    /// Notes what an answer means that is not `yes`: a registry that refuses, or that knows no such thing.
    pub(super) fn note_refusal(&mut self, ability: Ability, answer: &Answer) {
        let said = said(answer);
        let verdict = match answer.status {
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Verdict::Unknown,
            _ => Verdict::No,
        };
        let detail = match answer.status {
            StatusCode::UNAUTHORIZED => format!("not without another login: {said}"),
            StatusCode::FORBIDDEN => format!("who asks may not: {said}"),
            _ => said,
        };
        self.found.note(ability, verdict, detail);
    }

    pub(super) fn yes(&mut self, ability: Ability, detail: impl Into<String>) {
        self.found.note(ability, Verdict::Yes, detail);
    }

    pub(super) fn no(&mut self, ability: Ability, detail: impl Into<String>) {
        self.found.note(ability, Verdict::No, detail);
    }

    pub(super) fn unknown(&mut self, ability: Ability, detail: impl Into<String>) {
        self.found.note(ability, Verdict::Unknown, detail);
    }

    pub(super) fn can(&self, ability: Ability) -> bool {
        self.found.verdict(ability) == Some(Verdict::Yes)
    }
}

/// A digest that nothing has.
pub(super) fn nothing() -> Digest {
    Digest::sha256(format!("nothing {}", unlikely()).as_bytes())
}

/// The status of an answer, with the codes that the registry named.
pub(super) fn said(answer: &Answer) -> String {
    let codes: Vec<_> = answer.messages().into_iter().map(|message| message.code).filter(|it| !it.is_empty()).collect();
    match codes.as_slice() {
        [] => answer.status.to_string(),
        codes => format!("{}, {}", answer.status, codes.join(", ")),
    }
}

/// A text that nobody else has at the same time.
pub(super) fn unlikely() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let text = format!("{} {}", now.as_nanos(), std::process::id());
    Digest::sha256(text.as_bytes()).hex().chars().take(16).collect()
}
