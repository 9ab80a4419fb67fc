//! Logging in: what a registry's challenge asks for, remembered so that later requests come with it.
//!
//! Tokens are one for each [`Scope`], kept until shortly before they expire, and fetched once however many requests wait.
//! <https://distribution.github.io/distribution/spec/auth/token/>, <https://distribution.github.io/distribution/spec/auth/oauth/>

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use tokio::{sync::Mutex as AsyncMutex, time::Instant};
use url::Url;

use super::{
    Access, Answer, Credential, Credentials, Login, RegistryError, RegistryProblem, Scope, Secret, azure,
    challenge::{self, Challenge},
    clients::Clients,
    identities::Identities,
    origin::{self, LeadError},
    token::{self, Grant, Token},
};
use crate::oci::RegistryName;

/// The value of an `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authorization(HeaderValue);

/// Who this run is for one registry.
#[derive(Debug)]
pub(super) struct Auth {
    registry: RegistryName,
    base: Url,
    clients: Clients,
    credentials: Credentials,
    scheme: Mutex<Option<Scheme>>,
    tokens: Mutex<HashMap<Scope, Slot>>,
    identities: Identities,
    /// Whether the token service takes passwords by POST only.
    posts: AtomicBool,
}

/// How the registry wants to be told who one is.
#[derive(Debug, Clone)]
enum Scheme {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

/// Holds one token. Whoever fetches it holds the lock, and everybody else waits for the same one.
type Slot = Arc<AsyncMutex<Kept>>;

#[derive(Debug, Default)]
struct Kept {
    token: Option<(Authorization, Instant)>,
    failure: Option<(RegistryError, Instant)>,
}

impl Authorization {
    fn new(text: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    pub(super) fn basic(username: &str, password: &str) -> Option<Self> {
        Self::new(&format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
    }

    fn bearer(token: &Secret) -> Option<Self> {
        Self::new(&format!("Bearer {}", token.reveal()))
    }

    pub(super) fn value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl Auth {
    pub(super) fn new(registry: RegistryName, base: Url, clients: Clients, credentials: Credentials) -> Self {
        Self {
            registry,
            base,
            clients,
            credentials,
            scheme: Mutex::default(),
            tokens: Mutex::default(),
            identities: Identities::default(),
            posts: AtomicBool::new(false),
        }
    }

    /// Whether the registry has asked for a login.
    pub(super) fn is_wanted(&self) -> bool {
        self.scheme.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What the registry is known to want, before it asks again.
    pub(super) async fn ready(&self, scope: &Scope) -> Result<Option<Authorization>, RegistryError> {
        let scheme = self.scheme.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match scheme {
            Some(scheme) => self.authorization(&scheme, scope, None).await,
            None => Ok(None),
        }
    }

    /// Gets ready for the same request after a 401 with these headers, for the first time or not, where it came with
    /// `used`. `false`: there is nothing better.
    pub(super) async fn answer(
        &self,
        scope: &Scope,
        headers: &HeaderMap,
        used: Option<&Authorization>,
        is_first: bool,
    ) -> Result<bool, RegistryError> {
        let challenges = challenges(headers);
        let Some(scheme) = self.wanted(&challenges)? else {
            return Ok(false);
        };
        *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = Some(scheme.clone());
        if used.is_some() && challenges.iter().any(Challenge::is_about_rights) {
            return Ok(false);
        }
        // A token that was fetched for this very request and is not taken: the next one would not be either, unless it
        // has run out meanwhile.
        let refused = used.filter(|_| is_first || challenges.iter().any(Challenge::is_about_the_token));
        let better = self.authorization(&scheme, scope, refused).await?;
        Ok(better.is_some() && better.as_ref() != used)
    }

    /// For an answer that says no: to whom, and to what.
    pub(super) async fn access(&self, scope: &Scope, answer: &Answer, used: Option<&Authorization>) -> Access {
        let is_known = match answer.status {
            StatusCode::UNAUTHORIZED => {
                used.is_some() && challenges(&answer.headers).iter().any(Challenge::is_about_rights)
            }
            _ => used.is_some(),
        };
        self.asked(scope, is_known).await
    }

    async fn asked(&self, scope: &Scope, is_known: bool) -> Access {
        // Where nobody can be found, the request has failed already.
        let login = self.credentials.find(&self.registry, scope.repository()).await.ok().flatten();
        Access {
            registry: self.registry.clone(),
            repository: scope.repository().cloned(),
            action: scope.action(),
            source: login.map(|login| login.source),
            is_known,
        }
    }

    /// A token where the registry offers one, otherwise the password.
    fn wanted(&self, challenges: &[Challenge]) -> Result<Option<Scheme>, RegistryError> {
        for challenge in challenges {
            if let Challenge::Bearer { realm, service, .. } = challenge {
                let realm = origin::follow(&self.base, &self.base, realm).map_err(|error| self.error(error))?;
                // Azure's registries give their tokens themselves, and what they take for them opens all of Azure.
                if azure::is_registry(&self.registry) && !origin::is_same(&self.base, &realm) {
                    return Err(self.error(LeadError::Elsewhere { place: super::error::shown(&realm) }));
                }
                return Ok(Some(Scheme::Bearer { realm, service: service.clone() }));
            }
        }
        Ok(challenges.contains(&Challenge::Basic).then_some(Scheme::Basic))
    }

    async fn authorization(
        &self,
        scheme: &Scheme,
        scope: &Scope,
        refused: Option<&Authorization>,
    ) -> Result<Option<Authorization>, RegistryError> {
        match scheme {
            Scheme::Basic => Ok(match self.credential(scope).await? {
                Some(Credential::Basic { username, password }) => Authorization::basic(&username, password.reveal()),
                Some(Credential::Identity(_) | Credential::Token(_)) | None => None,
            }),
            Scheme::Bearer { realm, service } => self.bearer(realm, service.as_deref(), scope, refused).await.map(Some),
        }
    }

    async fn bearer(
        &self,
        realm: &Url,
        service: Option<&str>,
        scope: &Scope,
        refused: Option<&Authorization>,
    ) -> Result<Authorization, RegistryError> {
        let came = Instant::now();
        let slot = {
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tokens.entry(scope.clone()).or_default())
        };
        let mut kept = slot.lock().await;
        if let Some((authorization, until)) = &kept.token
            && *until > Instant::now()
            && Some(authorization) != refused
        {
            return Ok(authorization.clone());
        }
        // Whoever waited while it failed has heard it; and a login that is wrong stays wrong.
        if let Some((failure, at)) = &kept.failure
            && (*at >= came || failure.status() == Some(StatusCode::UNAUTHORIZED))
        {
            return Err(failure.clone());
        }
        match self.token(realm, service, scope).await {
            Ok((authorization, lifetime)) => {
                // A token is not used to its last second: the request takes time too, and clocks differ.
                let margin = (lifetime / 4).min(Duration::from_secs(30));
                kept.token = Some((authorization.clone(), Instant::now() + lifetime.saturating_sub(margin)));
                Ok(authorization)
            }
            Err(failure) => {
                kept.failure = Some((failure.clone(), Instant::now()));
                Err(failure)
            }
        }
    }

    /// A new token, and how long it counts.
    async fn token(
        &self,
        realm: &Url,
        service: Option<&str>,
        scope: &Scope,
    ) -> Result<(Authorization, Duration), RegistryError> {
        let is_azure = azure::is_token_service(&self.base, realm);
        let request = token::Request { realm, service, scope, grant: Grant::Anonymous };
        let token = match self.credential(scope).await? {
            None => token::fetch(&self.clients, request).await,
            Some(Credential::Token(token)) => {
                Ok(Token { value: token, lifetime: Duration::from_hours(24), refresh: None })
            }
            Some(Credential::Basic { username, password }) if is_azure && username == azure::TOKEN_USER => {
                self.refresh(request, &password, is_azure).await
            }
            Some(Credential::Identity(first)) => self.refresh(request, &first, is_azure).await,
            Some(Credential::Basic { username, password }) => {
                let by_post = self.posts.load(Ordering::Relaxed);
                let login = (username.as_str(), &password);
                let fetched = token::fetch_with_password(&self.clients, request, login, by_post).await;
                fetched.map(|(token, by_post)| {
                    self.posts.store(by_post, Ordering::Relaxed);
                    token
                })
            }
        };
        let token = match token {
            Ok(token) => token,
            Err(mut error) => {
                if let RegistryProblem::Refused { status, access, .. } = &mut error.problem
                    && matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST)
                {
                    *access = Some(Box::new(self.asked(scope, *status == StatusCode::FORBIDDEN).await));
                }
                return Err(error);
            }
        };
        let authorization = Authorization::bearer(&token.value)
            .ok_or_else(|| token::unusable(realm, "the token has characters that no header can have"))?;
        Ok((authorization, token.lifetime))
    }

    /// A token for an identity token, which may be replaced by the way.
    async fn refresh(
        &self,
        request: token::Request<'_>,
        first: &Secret,
        is_azure: bool,
    ) -> Result<Token, RegistryError> {
        let mut identity = self.identities.hold(first).await;
        if is_azure && azure::is_entra(&identity.token) {
            let service = request.service.unwrap_or(self.registry.host());
            identity.token = token::exchange_entra(&self.clients, &self.base, service, &identity.token).await?;
        }
        let shown = identity.token.clone();
        let held = (!identity.is_lasting).then_some(identity);
        let request = token::Request { grant: Grant::Refresh(&shown), ..request };
        let token = token::fetch(&self.clients, request).await?;
        let mut identity = match held {
            Some(identity) => identity,
            None => self.identities.hold(first).await,
        };
        match token.refresh.clone().filter(|next| *next != shown) {
            Some(next) => {
                identity.token = next;
                identity.is_lasting = false;
            }
            None => identity.is_lasting = true,
        }
        Ok(token)
    }

    async fn credential(&self, scope: &Scope) -> Result<Option<Credential>, RegistryError> {
        let login = self.credentials.find(&self.registry, scope.repository()).await;
        Ok(login.map_err(|error| self.error(error))?.map(|Login { credential, .. }| credential))
    }

    fn error(&self, problem: impl Into<RegistryProblem>) -> RegistryError {
        RegistryError::new(&reqwest::Method::GET, &self.base, problem)
    }
}

/// The ways in that an answer offers.
fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(challenge::parse).collect()
}

#[cfg(test)]
mod tests;
