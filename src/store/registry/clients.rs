use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, redirect};
use tokio::sync::Semaphore;
use url::Url;

use super::{RegistryProblem, Tls, answer::network, origin, parts::Parts};

/// The connections of a run, as one registry uses them. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    /// Where the registry has certificates of its own.
    special: Option<Arc<Special>>,
    /// For plain HTTP on this machine: no proxy (its loopback is another machine) and no certificates.
    direct: Client,
    /// For everything else. Reading the system's certificates takes a while, so it is made when it is needed.
    general: Arc<Made>,
    /// Places in memory for parts of blobs that come before their turn.
    pub(super) room: Arc<Semaphore>,
}

/// The connections of a registry that has certificates of its own.
#[derive(Debug)]
struct Special {
    base: Url,
    tls: Tls,
    /// To the registry itself.
    own: Made,
    /// To where it points.
    elsewhere: Made,
}

/// Connections that are made when they are needed.
#[derive(Debug, Default)]
struct Made {
    far: OnceLock<Client>,
    /// To this machine, which no proxy reaches: its loopback is another machine.
    near: OnceLock<Client>,
}

impl Clients {
    pub(super) fn new() -> Result<Self, RegistryProblem> {
        let direct = builder().no_proxy().tls_certs_only([]).build().map_err(network)?;
        let room = Arc::new(Semaphore::new(Parts::AT_ONCE));
        Ok(Self { special: None, direct, general: Arc::default(), room })
    }

    /// The same for the registry at `base`, over HTTPS as `tls` says.
    pub(super) fn with_tls(&self, base: &Url, tls: &Tls) -> Self {
        let special =
            Special { base: base.clone(), tls: tls.clone(), own: Made::default(), elsewhere: Made::default() };
        Self { special: (!tls.is_plain()).then(|| Arc::new(special)), ..self.clone() }
    }

    /// The client for requests to `url`.
    pub(super) fn to(&self, url: &Url) -> Result<&Client, RegistryProblem> {
        if url.scheme() == "http" && origin::is_loopback(url) {
            return Ok(&self.direct);
        }
        match &self.special {
            Some(special) if origin::is_same(&special.base, url) => special.own.to(url, |it| special.tls.apply(it)),
            Some(special) => special.elsewhere.to(url, |it| special.tls.apply_elsewhere(it)),
            None => self.general.to(url, |it| it),
        }
    }
}

impl Made {
    fn to(&self, url: &Url, prepare: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<&Client, RegistryProblem> {
        let is_near = origin::is_loopback(url);
        let client = if is_near { &self.near } else { &self.far };
        if let Some(client) = client.get() {
            return Ok(client);
        }
        let builder = if is_near { builder().no_proxy() } else { builder() };
        let made = prepare(builder).build().map_err(network)?;
        Ok(client.get_or_init(|| made))
    }
}

/// Redirects are ours to judge. An upload over HTTP/2 is slower than over HTTP/1.1, and several share its window.
fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("consign/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_secs(30))
}
