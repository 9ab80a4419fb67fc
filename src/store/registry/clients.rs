use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, redirect};
use url::Url;

use super::{RegistryProblem, answer::network, origin};

/// The connections of a run. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    /// For plain HTTP on this machine: no proxy (its loopback is another machine) and no certificates.
    direct: Client,
    /// For everything else. Reading the system's certificates takes a while, so it is made when it is needed.
    general: Arc<OnceLock<Client>>,
}

impl Clients {
    pub(super) fn new() -> Result<Self, RegistryProblem> {
        let direct = builder().no_proxy().tls_certs_only([]).build().map_err(network)?;
        Ok(Self { direct, general: Arc::default() })
    }

    /// The client for requests to `url`.
    pub(super) fn to(&self, url: &Url) -> Result<&Client, RegistryProblem> {
        if url.scheme() == "http" && origin::is_loopback(url) {
            return Ok(&self.direct);
        }
        if let Some(general) = self.general.get() {
            return Ok(general);
        }
        let general = builder().build().map_err(network)?;
        Ok(self.general.get_or_init(|| general))
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
