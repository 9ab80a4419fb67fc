use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Method;
use tokio::{
    runtime::Handle,
    sync::Semaphore,
    task::JoinSet,
    time::{Duration, timeout},
};
use url::Url;

use super::{
    Answer, Auth, RegistryError, RegistryOptions, Request, Scope,
    clients::Clients,
    cooldown::Cooldown,
    http::Http,
    knowledge::RegistryKnowledge,
    mirrors::Rest,
    origin::{self, LeadError},
    pace::{Pace, Tries},
    permits::Permits,
};
use crate::{
    oci::{RegistryName, RepositoryName},
    store::{StoreError, patience},
};

/// One registry: how to reach it, and what is known about it.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) name: RegistryName,
    pub(super) known: Arc<RegistryKnowledge>,
    pub(super) pace: Pace,
    /// As a mirror.
    pub(super) rest: Rest,
    /// Whether an earlier run may have sent what this one would send.
    pub(super) goes_on: bool,
    /// Places in memory for parts of blobs that come before their turn; all registries of a run share them.
    pub(super) room: Arc<Semaphore>,
    cooldown: Cooldown,
    goodbyes: Mutex<JoinSet<()>>,
    /// Nothing where the name is one that no URL can have, such as `300.1.1.1`.
    http: Option<Http>,
}

/// What all names of one registry share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) known: Arc<RegistryKnowledge>,
    pub(super) permits: Permits,
    pub(super) cooldown: Cooldown,
}

/// How long the end of a session that nobody uses may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Where Docker Hub answers, which is not where its name leads.
const DOCKER_HUB: &str = "registry-1.docker.io";

impl Registry {
    pub(super) fn new(
        name: &RegistryName,
        clients: &Clients,
        options: &RegistryOptions,
        pace: Pace,
        shared: Shared,
    ) -> Self {
        let settings = options.settings(name).cloned().unwrap_or_default();
        let credentials = match settings.credential {
            Some(credential) => options.credentials.clone().with_late(name.clone(), credential),
            None => options.credentials.clone(),
        };
        let http = base(name, options).map(|base| {
            let clients = clients.with_tls(&base, &settings.tls);
            let auth = Auth::new(name.clone(), base.clone(), clients.clone(), credentials);
            Http::new(clients, base, auth, pace, &shared)
        });
        Self {
            name: name.clone(),
            known: shared.known,
            pace,
            rest: Rest::default(),
            goes_on: options.goes_on,
            room: Arc::clone(&clients.room),
            cooldown: shared.cooldown,
            goodbyes: Mutex::default(),
            http,
        }
    }

    /// The URL of a part of a repository.
    pub(super) fn url(&self, repository: &RepositoryName, parts: &[&str]) -> Result<Url, StoreError> {
        self.place(&format!("/v2/{repository}/{}", parts.join("/")))
    }

    /// The URL of a path.
    pub(super) fn place(&self, path: &str) -> Result<Url, StoreError> {
        Ok(self.http()?.base().join(path).map_err(|_| self.no_url())?)
    }

    /// Sends a request until there is an answer worth giving, whatever its status.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer, StoreError> {
        self.http()?.send(request).await
    }

    /// The URL that says whether this is a registry.
    pub(super) fn root(&self) -> Result<Url, StoreError> {
        self.place("/v2/")
    }

    /// Asks whether the registry knows who asks. `false`: it does not want to know.
    ///
    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#determining-support>
    pub(super) async fn greet(&self) -> Result<bool, StoreError> {
        let http = self.http()?;
        let answer = http.send(&Request::new(Method::GET, self.root()?, Scope::registry())).await?;
        if answer.status.is_success() { Ok(http.wants_login()) } else { Err(answer.refused().into()) }
    }

    /// Begins with the first of many tries.
    pub(super) fn start(&self) -> Tries {
        self.pace.start(&self.cooldown)
    }

    /// Sends a request that nobody waits for, and tries it once: the end of an upload session that is not used any more.
    pub(super) fn abandon(self: &Arc<Self>, request: Request<'static>) {
        let is_here = self.http.as_ref().is_some_and(|http| origin::is_same(http.base(), &request.url));
        // Without a runtime nothing runs any more; what is left open the registry clears away itself.
        let Some(runtime) = Handle::try_current().ok().filter(|_| is_here) else { return };
        let registry = Arc::clone(self);
        let request = request.single();
        let goodbye = async move {
            let _ = timeout(GOODBYE, registry.send(&request)).await;
        };
        let mut goodbyes = self.goodbyes.lock().unwrap_or_else(PoisonError::into_inner);
        while goodbyes.try_join_next().is_some() {}
        goodbyes.spawn_on(patience::carried(goodbye), &runtime);
    }

    /// Waits a moment for what was abandoned.
    pub(super) async fn say_goodbye(&self) {
        let goodbyes = std::mem::take(&mut *self.goodbyes.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = timeout(GOODBYE, goodbyes.join_all()).await;
    }

    /// The place that the answer names, where a request may go.
    pub(super) fn follow(&self, answer: &Answer, text: &str) -> Result<Url, StoreError> {
        let next = origin::follow(self.http()?.base(), &answer.url, text);
        Ok(next.map_err(|error| answer.problem(error))?)
    }

    /// As [`Registry::follow`], within this registry.
    pub(super) fn follow_within(&self, answer: &Answer, text: &str) -> Result<Url, StoreError> {
        let next = origin::follow_within(self.http()?.base(), &answer.url, text);
        Ok(next.map_err(|error| answer.problem(error))?)
    }

    fn http(&self) -> Result<&Http, RegistryError> {
        self.http.as_ref().ok_or_else(|| self.no_url())
    }

    fn no_url(&self) -> RegistryError {
        let problem = LeadError::NotUrl { text: self.name.to_string() }.into();
        RegistryError { method: Method::GET, url: self.name.to_string(), problem }
    }
}

fn base(name: &RegistryName, options: &RegistryOptions) -> Option<Url> {
    let scheme = if options.is_plain(name) { "http" } else { "https" };
    let host = if name.as_str() == "docker.io" { DOCKER_HUB } else { name.as_str() };
    Url::parse(&format!("{scheme}://{host}/")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_what_is_named_is_plain() {
        let options = RegistryOptions { plain_http: ["r.lan:5000".parse().unwrap()].into(), ..Default::default() };
        for (name, expected) in [
            ("r.io", Some("https://r.io/")),
            ("localhost:5000", Some("http://localhost:5000/")),
            ("[::1]:5000", Some("http://[::1]:5000/")),
            ("r.lan:5000", Some("http://r.lan:5000/")),
            ("docker.io", Some("https://registry-1.docker.io/")),
            ("300.1.1.1", None),
        ] {
            let base = base(&name.parse().unwrap(), &options);
            assert_eq!(base.as_ref().map(Url::as_str), expected, "{name}");
        }
    }
}
