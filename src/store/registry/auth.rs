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
    origin, token,
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
    pub(super) fn new(registry: RegistryName, base: Url, clients: Clients, credentials: Credentials) -> Self {
        Self { registry, base, clients, credentials, scheme: Mutex::default(), tokens: Mutex::default() }
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
        let token = token::fetch(&self.clients, &request).await?;
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

#[cfg(test)]
mod tests {
    use futures_util::future::try_join_all;

    use super::{
        super::{
            Secret,
            testing::{Received, Reply, Server, registries},
        },
        *,
    };
    use crate::store::Store;

    /// A registry that takes only the token that its own service gave last; it has given `given` of them.
    async fn with_tokens(expires_in: u64) -> Server {
        let mut given = 0;
        Server::with(move |received, _| {
            if received.path == "/token" {
                given += 1;
                let body = serde_json::json!({ "token": format!("t{given}"), "expires_in": expires_in });
                return Some(Reply::status(200).body(body.to_string()));
            }
            if received.query == "revoke" {
                given += 1;
                return Some(Reply::status(200));
            }
            let is_right = received.header("authorization") == Some(&format!("Bearer t{given}"));
            let realm = format!("Bearer realm=\"http://{}/token\",service=\"s\"", received.header("host").unwrap());
            (!is_right).then(|| Reply::status(401).header("www-authenticate", realm))
        })
        .await
    }

    fn tokens(server: &Server) -> Vec<Received> {
        server.received().into_iter().filter(|received| received.path == "/token").collect()
    }

    #[tokio::test]
    async fn one_token_is_fetched_for_many_requests() {
        let server = with_tokens(300).await;
        let store = server.store("a");
        try_join_all((0..16).map(|_| store.tags())).await.unwrap();
        let tokens = tokens(&server);
        assert_eq!(tokens.len(), 1);
        assert_eq!(tokens[0].query, "service=s&scope=repository%3Aa%3Apull");
        assert_eq!(tokens[0].header("authorization"), None);
        // From now on it is known what the registry wants.
        store.tags().await.unwrap();
        assert_eq!(server.log().len(), 1);
    }

    #[tokio::test]
    async fn a_token_that_is_not_taken_any_more_is_replaced_once() {
        let server = with_tokens(300).await;
        let store = server.store("a");
        store.tags().await.unwrap();
        reqwest::get(format!("http://{}/?revoke", server.name)).await.unwrap();
        server.log();
        try_join_all((0..8).map(|_| store.tags())).await.unwrap();
        assert_eq!(tokens(&server).len(), 1);
    }

    #[tokio::test]
    async fn a_token_is_for_one_repository_and_what_is_done_there() {
        let server = with_tokens(300).await;
        let registries = registries(Credentials::none());
        let blob = crate::oci::Descriptor::of("a/b", b"x");
        for name in ["a", "b"] {
            let store = registries.repository(&server.name, &name.parse().unwrap());
            // Each new token ends the one before it here.
            store.push_blob(&blob, &crate::store::Source::bytes("x"), None).await.unwrap();
            store.delete_manifest(&blob.digest).await.unwrap();
        }
        let scopes: Vec<_> =
            tokens(&server).iter().map(|token| token.query.replace("%3A", ":").replace("%2C", ",")).collect();
        assert_eq!(
            scopes,
            [
                "service=s&scope=repository:a:pull,push",
                "service=s&scope=repository:a:delete",
                "service=s&scope=repository:b:pull,push&scope=repository:a:pull",
                "service=s&scope=repository:b:delete",
            ]
        );
    }

    #[tokio::test]
    async fn an_expired_token_is_not_sent() {
        let server = with_tokens(1).await;
        let store = server.store("a");
        store.tags().await.unwrap();
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(2)).await;
        tokio::time::resume();
        server.log();
        store.tags().await.unwrap();
        assert_eq!(server.log(), ["GET /token?service=s&scope=repository:a:pull", "GET /v2/a/tags/list?n=1000"]);
    }

    #[tokio::test]
    async fn passwords_and_identity_tokens_go_to_the_token_service_alone() {
        let server = with_tokens(300).await;
        let as_me = |credential| {
            let credentials = Credentials::none().with(server.name.clone(), credential);
            registries(credentials).repository(&server.name, &"a".parse().unwrap())
        };
        let me = Credential::Basic { username: "me".to_owned(), password: Secret::new("word") };
        as_me(me).tags().await.unwrap();
        let received = server.received();
        let basic: Vec<_> = received
            .iter()
            .filter(|received| received.header("authorization") == Some("Basic bWU6d29yZA=="))
            .map(|received| received.path.as_str())
            .collect();
        assert_eq!(basic, ["/token"]);
        as_me(Credential::Identity(Secret::new("jwt"))).tags().await.unwrap();
        let token = &tokens(&server)[0];
        assert_eq!((token.method.as_str(), token.query.as_str()), ("POST", ""));
        assert_eq!(
            token.body,
            "grant_type=refresh_token&service=s&client_id=consign&scope=repository%3Aa%3Apull&refresh_token=jwt"
        );
    }

    #[tokio::test]
    async fn who_has_no_login_or_a_wrong_one_hears_what_the_registry_said() {
        let server = Server::with(|_, _| {
            let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
            Some(Reply::status(401).header("www-authenticate", "Basic realm=\"x\"").body(body))
        })
        .await;
        let expected = format!(
            "GET http://{}/v2/a/tags/list: 401 Unauthorized: UNAUTHORIZED (authentication required)",
            server.name
        );
        assert_eq!(server.store("a").tags().await.unwrap_err().to_string(), expected);
        assert_eq!(server.log().len(), 1);
        let me = Credential::Basic { username: "me".to_owned(), password: Secret::new("wrong") };
        let registries = registries(Credentials::none().with(server.name.clone(), me));
        let store = registries.repository(&server.name, &"a".parse().unwrap());
        assert_eq!(store.tags().await.unwrap_err().to_string(), expected);
        assert_eq!(server.log().len(), 2);
    }

    #[tokio::test]
    async fn a_realm_with_a_user_in_it_is_not_asked() {
        let server = Server::with(|_, _| {
            let realm = "Bearer realm=\"http://user:word@127.0.0.1:9/token\"";
            Some(Reply::status(401).header("www-authenticate", realm))
        })
        .await;
        let error = server.store("a").tags().await.unwrap_err().to_string();
        assert!(error.contains("`http://127.0.0.1:9/token`, which is not followed"), "{error}");
        assert!(!error.contains("word"), "{error}");
    }

    #[tokio::test]
    async fn a_token_service_that_says_nonsense_is_an_error_without_quotes() {
        for body in ["<html>hunter2", r#"{"token":7,"x":"hunter2"}"#, r#"{"token":""}"#, r#"{"token":"hunter2\n"}"#] {
            let server = Server::with(move |received, _| {
                let realm = format!("Bearer realm=\"http://{}/token\"", received.header("host").unwrap());
                let refused = Reply::status(401).header("www-authenticate", realm);
                Some(if received.path == "/token" { Reply::status(200).body(body) } else { refused })
            })
            .await;
            let error = server.store("a").tags().await.unwrap_err().to_string();
            assert!(error.contains("/token: the answer is not a token: ") && !error.contains("hunter2"), "{error}");
        }
    }
}
