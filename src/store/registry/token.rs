//! Asking a registry's token service: GET with a password or as nobody, POST with an identity token.

use std::time::Duration;

use reqwest::{Method, header::AUTHORIZATION};
use serde::Deserialize;
use url::Url;

use super::{
    Credential, RegistryError, RegistryProblem, Scope, Secret,
    answer::{Answer, Incoming, network},
    auth::Authorization,
    clients::Clients,
};

/// What is asked for.
pub(super) struct Request<'a> {
    pub(super) realm: &'a Url,
    pub(super) service: Option<&'a str>,
    pub(super) scope: &'a Scope,
    pub(super) credential: Option<&'a Credential>,
}

/// What the service gave.
pub(super) struct Token {
    pub(super) value: Secret,
    pub(super) lifetime: Duration,
}

#[derive(Deserialize)]
struct Reply {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// Tokens are a few kilobytes; with many rights in them some tens.
const LIMIT: usize = 256 * 1024;
/// What a token without a lifetime has.
/// <https://distribution.github.io/distribution/spec/auth/token/#token-response-fields>
const LIFETIME: u64 = 60;

/// Asks once: whoever needs the token tries again. It is never followed elsewhere: the credential is for the realm alone.
pub(super) async fn fetch(clients: &Clients, request: &Request<'_>) -> Result<Token, RegistryError> {
    let answer = send(clients, request).await?;
    if !answer.status.is_success() {
        return Err(answer.refused());
    }
    // What serde says could quote the token.
    let reply: Reply =
        serde_json::from_slice(&answer.body).map_err(|_| unusable(request.realm, "it is not such a JSON object"))?;
    let value = reply.token.or(reply.access_token).filter(|token| !token.is_empty());
    let value = value.ok_or_else(|| unusable(request.realm, "there is no `token` in it"))?;
    // A registry that says 0 means the default; a day is longer than any run.
    let seconds = reply.expires_in.filter(|seconds| *seconds > 0).unwrap_or(LIFETIME).min(24 * 60 * 60);
    Ok(Token { value: Secret::new(value), lifetime: Duration::from_secs(seconds) })
}

/// The error for an answer without a token that can be used.
pub(super) fn unusable(realm: &Url, message: &str) -> RegistryError {
    let problem = RegistryProblem::Body { expected: "a token", message: message.to_owned() };
    RegistryError::new(&Method::GET, realm, problem)
}

async fn send(clients: &Clients, request: &Request<'_>) -> Result<Answer, RegistryError> {
    let mut url = request.realm.clone();
    let client = clients.to(&url).map_err(|problem| RegistryError::new(&Method::GET, &url, problem))?;
    let builder = if let Some(Credential::Identity(token)) = request.credential {
        let scope = request.scope.texts().collect::<Vec<_>>().join(" ");
        client.post(url.clone()).form(&[
            ("grant_type", "refresh_token"),
            ("service", request.service.unwrap_or_default()),
            ("client_id", "consign"),
            ("scope", &scope),
            ("refresh_token", token.reveal()),
        ])
    } else {
        if let Some(service) = request.service {
            url.query_pairs_mut().append_pair("service", service);
        }
        for scope in request.scope.texts() {
            url.query_pairs_mut().append_pair("scope", &scope);
        }
        let basic = match request.credential {
            Some(Credential::Basic { username, password }) => Authorization::basic(username, password.reveal()),
            _ => None,
        };
        let builder = client.get(url.clone());
        match basic {
            Some(basic) => builder.header(AUTHORIZATION, basic.value()),
            None => builder,
        }
    };
    let method = if matches!(request.credential, Some(Credential::Identity(_))) { Method::POST } else { Method::GET };
    let fail = |problem| RegistryError::new(&method, &url, problem);
    let response = tokio::time::timeout(Incoming::SILENCE, builder.send())
        .await
        .map_err(|_| fail(RegistryProblem::Silent { limit: Incoming::SILENCE }))?
        .map_err(|error| fail(network(error)))?;
    Incoming { response, _permits: Vec::new(), method: method.clone(), url: url.clone() }.read(LIMIT).await
}
