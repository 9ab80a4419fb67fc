//! Asking a registry's token service: GET with a password or as nobody, POST with an identity token, and with a
//! password where GET is not known.
//!
//! <https://distribution.github.io/distribution/spec/auth/token/>, <https://distribution.github.io/distribution/spec/auth/oauth/>

use std::{borrow::Cow, fmt::Display, time::Duration};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, DATE},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::{
    RegistryError, RegistryProblem, Scope, Secret,
    answer::{Answer, Incoming, network},
    auth::Authorization,
    clients::Clients,
    error::shown,
};
use crate::store::Patience;

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) realm: &'a Url,
    pub(super) service: Option<&'a str>,
    pub(super) scope: &'a Scope,
    pub(super) grant: Grant<'a>,
}

/// On whose word.
#[derive(Clone, Copy)]
pub(super) enum Grant<'a> {
    Anonymous,
    /// In the header of a GET.
    Basic {
        username: &'a str,
        password: &'a Secret,
    },
    /// In the form of a POST.
    Password {
        username: &'a str,
        password: &'a Secret,
    },
    Refresh(&'a Secret),
}

/// What the service gave.
pub(super) struct Token {
    pub(super) value: Secret,
    pub(super) lifetime: Duration,
    /// What counts from now on in the place of the identity token that was shown.
    pub(super) refresh: Option<Secret>,
}

#[derive(Deserialize)]
struct Reply {
    token: Option<String>,
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    issued_at: Value,
    refresh_token: Option<String>,
}

/// Tokens are a few kilobytes; with many rights in them some tens.
const LIMIT: usize = 256 * 1024;
/// What a token without a lifetime has.
/// <https://distribution.github.io/distribution/spec/auth/token/#token-response-fields>
const LIFETIME: u64 = 60;

/// Asks once: whoever needs the token tries again. It is never followed elsewhere: the credential is for the realm alone.
pub(super) async fn fetch(clients: &Clients, request: Request<'_>) -> Result<Token, RegistryError> {
    let answer = exchange(clients, request.realm, &request.message()).await?;
    let reply = reply(&answer, request.realm)?;
    let filled = |token: &String| !token.is_empty();
    let value = reply.token.filter(filled).or(reply.access_token.filter(filled));
    let value = value.ok_or_else(|| unusable(request.realm, "there is no `token` in it"))?;
    // A registry that says 0 means the default; a day is longer than any run.
    let seconds = seconds(&reply.expires_in).filter(|seconds| *seconds > 0).unwrap_or(LIFETIME).min(24 * 60 * 60);
    let whole = Duration::from_secs(seconds);
    // A token may have been given to somebody else before. An age that leaves nothing is a clock that is wrong.
    let age = reply.issued_at.as_str().and_then(|issued| age(issued, answer.header(DATE.as_str())));
    let lifetime = age.and_then(|age| whole.checked_sub(age)).filter(|left| !left.is_zero()).unwrap_or(whole);
    let refresh = reply.refresh_token.filter(|token| !token.is_empty()).map(Secret::new);
    Ok(Token { value: Secret::new(value), lifetime, refresh })
}

/// As [`fetch`] with a password: the second time, and from the first where `by_post` says so, in the way of OAuth.
/// Gives also whether that was the way.
pub(super) async fn fetch_with_password(
    clients: &Clients,
    request: Request<'_>,
    (username, password): (&str, &Secret),
    by_post: bool,
) -> Result<(Token, bool), RegistryError> {
    let post = Request { grant: Grant::Password { username, password }, ..request };
    if by_post {
        return Ok((fetch(clients, post).await?, true));
    }
    let get = Request { grant: Grant::Basic { username, password }, ..request };
    match fetch(clients, get).await {
        Err(error) if matches!(error.status(), Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)) => {
            // Where that is no way either, what was said first tells more.
            fetch(clients, post).await.map(|token| (token, true)).map_err(|other| {
                let is_unknown = matches!(other.status(), Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED));
                if is_unknown { error } else { other }
            })
        }
        result => result.map(|token| (token, false)),
    }
}

/// Takes an access token of Entra to the registry at `base`, and nowhere else, for an identity token.
///
/// <https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md#authenticating-to-a-registry-with-azure-cli>
pub(super) async fn exchange_entra(
    clients: &Clients,
    base: &Url,
    service: &str,
    token: &Secret,
) -> Result<Secret, RegistryError> {
    let mut url = base.clone();
    url.set_path("/oauth2/exchange");
    let form = vec![
        ("grant_type", Cow::from("access_token")),
        ("service", service.into()),
        ("access_token", token.reveal().into()),
    ];
    let message = Message { form: Some(form), query: Vec::new(), basic: None, secret: Some(token) };
    let answer = exchange(clients, &url, &message).await?;
    let token = reply(&answer, &url)?.refresh_token.filter(|token| !token.is_empty());
    token.map(Secret::new).ok_or_else(|| unusable(&url, "there is no `refresh_token` in it"))
}

/// The error for an answer without a token that can be used.
pub(super) fn unusable(realm: &Url, message: &str) -> RegistryError {
    let problem = RegistryProblem::Body { expected: "a token", message: message.to_owned() };
    RegistryError::new(&Method::GET, realm, problem)
}

fn reply(answer: &Answer, realm: &Url) -> Result<Reply, RegistryError> {
    // What serde says could quote the token.
    serde_json::from_slice(&answer.body).map_err(|_| unusable(realm, "it is not such a JSON object"))
}

/// A whole number, which some services write as a text.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// How long ago a token was given: both times by the clock of the service, where it says what that shows.
fn age(issued: &str, date: Option<&str>) -> Option<Duration> {
    let issued: Timestamp = issued.parse().ok()?;
    let now = date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
    let age = now.unwrap_or_else(Timestamp::now).duration_since(issued);
    Duration::try_from(age).ok()
}

/// One request as it is written down.
struct Message<'a> {
    /// What is posted. Nothing: it is a GET.
    form: Option<Vec<(&'static str, Cow<'a, str>)>>,
    query: Vec<(&'static str, Cow<'a, str>)>,
    basic: Option<Authorization>,
    /// What no answer may quote.
    secret: Option<&'a Secret>,
}

impl<'a> Request<'a> {
    fn message(&self) -> Message<'a> {
        let scopes = || self.scope.texts().collect::<Vec<_>>();
        let form = |grant: &'static str, secret: Vec<(&'static str, Cow<'a, str>)>| {
            let mut form = vec![("grant_type", Cow::from(grant))];
            form.extend(self.service.map(|service| ("service", service.into())));
            form.push(("client_id", "consign".into()));
            let scopes = scopes().join(" ");
            form.extend((!scopes.is_empty()).then(|| ("scope", scopes.into())));
            form.extend(secret);
            Some(form)
        };
        let plain = || {
            let service = self.service.map(|service| ("service", service.into()));
            service.into_iter().chain(scopes().into_iter().map(|scope| ("scope", scope.into()))).collect()
        };
        match self.grant {
            Grant::Anonymous => Message { form: None, query: plain(), basic: None, secret: None },
            Grant::Basic { username, password } => {
                let basic = Authorization::basic(username, password.reveal());
                Message { form: None, query: plain(), basic, secret: Some(password) }
            }
            Grant::Password { username, password } => {
                let secret = vec![("username", username.into()), ("password", password.reveal().into())];
                Message { form: form("password", secret), query: Vec::new(), basic: None, secret: Some(password) }
            }
            Grant::Refresh(token) => {
                let secret = vec![("refresh_token", token.reveal().into())];
                Message { form: form("refresh_token", secret), query: Vec::new(), basic: None, secret: Some(token) }
            }
        }
    }
}

/// Sends a message, and gives the answer where it is a good one.
async fn exchange(clients: &Clients, url: &Url, message: &Message<'_>) -> Result<Answer, RegistryError> {
    let mut answer = send(clients, url, message).await?;
    if answer.status.is_success() {
        return Ok(answer);
    }
    // A service that refuses a secret may say which: that is not passed on.
    if let Some(secret) = message.secret.map(Secret::reveal).filter(|secret| !secret.is_empty()) {
        answer.body = String::from_utf8_lossy(&answer.body).replace(secret, "***").into();
    }
    Err(answer.refused())
}

async fn send(clients: &Clients, url: &Url, message: &Message<'_>) -> Result<Answer, RegistryError> {
    let method = if message.form.is_some() { Method::POST } else { Method::GET };
    let mut url = url.clone();
    if !message.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&message.query);
    }
    let fail = |problem| RegistryError::new(&method, &url, problem);
    let mut builder = clients.to(&url).map_err(fail)?.request(method.clone(), url.clone());
    if let Some(basic) = &message.basic {
        builder = builder.header(AUTHORIZATION, basic.value());
    }
    if let Some(form) = &message.form {
        builder = builder.form(form);
    }
    let begun = Instant::now();
    let response = match tokio::time::timeout(Incoming::SILENCE, builder.send()).await {
        Ok(answered) => answered.map_err(network),
        Err(_) => Err(RegistryProblem::Silent { limit: Incoming::SILENCE }),
    };
    let said: &dyn Display = match &response {
        Ok(response) => &response.status(),
        Err(problem) => problem,
    };
    Patience::current().tell_of_answer(|| format!("{method} {}", shown(&url)), said, begun.elapsed());
    let response = response.map_err(fail)?;
    Incoming { response, _permits: Vec::new(), method: method.clone(), url: url.clone() }.read(LIMIT).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_read_however_it_is_written() {
        for (value, expected) in [
            (serde_json::json!(300), Some(300)),
            (serde_json::json!("3599"), Some(3599)),
            (serde_json::json!(-1), None),
            (serde_json::json!("soon"), None),
            (Value::Null, None),
        ] {
            assert_eq!(seconds(&value), expected, "{value}");
        }
    }

    #[test]
    fn the_age_of_a_token_is_told_by_the_clock_of_the_service() {
        let issued = "2026-11-24T01:00:00.25Z";
        assert_eq!(age(issued, Some("Tue, 24 Nov 2026 01:00:40 GMT")), Some(Duration::from_millis(39_750)));
        assert_eq!(age(issued, Some("Tue, 24 Nov 2026 00:59:00 GMT")), None);
        assert_eq!(age("yesterday", Some("Tue, 24 Nov 2026 01:00:40 GMT")), None);
        assert!(age("2020-01-01T00:00:00Z", None) > Some(Duration::from_hours(24)));
    }
}
