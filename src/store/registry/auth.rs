//! Logging in: what a registry's challenge asks for, remembered so that later requests come with it.
//!
//! Tokens are one for each [`Scope`], kept until shortly before they expire, and fetched once however many requests wait.
//! <https://distribution.github.io/distribution/spec/auth/token/>, <https://distribution.github.io/distribution/spec/auth/oauth/>

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use tokio::{sync::Mutex as AsyncMutex, time::Instant};
use url::Url;

use super::{
    Credential, Credentials, RegistryError, Scope,
    challenge::{self, Challenge},
    clients::Clients,
    origin,
    pace::Pace,
    token,
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
    pace: Pace,
    credentials: Credentials,
    scheme: Mutex<Option<Scheme>>,
    tokens: Mutex<HashMap<Scope, Slot>>,
}

/// How the registry wants to be told who one is.
#[derive(Debug, Clone)]
enum Scheme {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

/// Holds one token. Whoever fetches it holds the lock, and everybody else waits for the same one.
type Slot = Arc<AsyncMutex<Option<Kept>>>;

#[derive(Debug)]
struct Kept {
    authorization: Authorization,
    until: Instant,
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

    pub(super) fn value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl Auth {
    pub(super) fn new(
        registry: RegistryName,
        base: Url,
        clients: Clients,
        pace: Pace,
        credentials: Credentials,
    ) -> Self {
        Self { registry, base, clients, pace, credentials, scheme: Mutex::default(), tokens: Mutex::default() }
    }

    /// What the registry is known to want, before it asks again.
    pub(super) async fn ready(&self, scope: &Scope) -> Result<Option<Authorization>, RegistryError> {
        let scheme = self.scheme.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match scheme {
            Some(scheme) => self.authorization(&scheme, scope, None).await,
            None => Ok(None),
        }
    }

    /// What to answer to a 401 with these headers to a request that came with `used`. Nothing: there is nothing better.
    pub(super) async fn answer(
        &self,
        scope: &Scope,
        headers: &HeaderMap,
        used: Option<&Authorization>,
    ) -> Result<Option<Authorization>, RegistryError> {
        let Some(scheme) = self.wanted(headers)? else {
            return Ok(None);
        };
        *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = Some(scheme.clone());
        let better = self.authorization(&scheme, scope, used).await?;
        Ok(better.filter(|better| Some(better) != used))
    }

    /// A token where the registry offers one, otherwise the password.
    fn wanted(&self, headers: &HeaderMap) -> Result<Option<Scheme>, RegistryError> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<_> = values.flat_map(challenge::parse).collect();
        for challenge in &challenges {
            if let Challenge::Bearer { realm, service } = challenge {
                let fail = |error| RegistryError::new(&reqwest::Method::GET, &self.base, error);
                let realm = origin::follow(&self.base, &self.base, realm).map_err(fail)?;
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
                Some(Credential::Identity(_)) | None => None,
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
        let slot = {
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tokens.entry(scope.clone()).or_default())
        };
        let mut kept = slot.lock().await;
        if let Some(kept) = kept.as_ref()
            && kept.until > Instant::now()
            && Some(&kept.authorization) != refused
        {
            return Ok(kept.authorization.clone());
        }
        let credential = self.credential(scope).await?;
        let request = token::Request { realm, service, scope, credential: credential.as_ref() };
        let token = token::fetch(&self.clients, &request, self.pace).await?;
        let authorization = Authorization::new(&format!("Bearer {}", token.value.reveal()))
            .ok_or_else(|| token::unusable(realm, "the token has characters that no header can have"))?;
        // A token is not used to its last second: the request takes time too, and clocks differ.
        let margin = (token.lifetime / 4).min(Duration::from_secs(30));
        *kept = Some(Kept {
            authorization: authorization.clone(),
            until: Instant::now() + token.lifetime.saturating_sub(margin),
        });
        Ok(authorization)
    }

    async fn credential(&self, scope: &Scope) -> Result<Option<Credential>, RegistryError> {
        self.credentials
            .find(&self.registry, scope.repository())
            .await
            .map_err(|error| RegistryError::new(&reqwest::Method::GET, &self.base, error))
    }
}
