//! The distribution API over the repositories of any [`Host`](crate::store::Host): what `consign serve` runs, and tests
//! beside themselves.
//!
//! Here requests are read and answered; what is stored, and how, is the store's. Nothing here prints: who starts a
//! [`Server`] hands it a [`Log`].
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md>

mod access;
mod answer;
mod blobs;
mod body;
mod condition;
mod counters;
mod failure;
mod htpasswd;
mod lists;
mod manifests;
mod options;
mod page;
mod range;
mod request;
mod route;
mod server;
mod service;
mod sessions;
mod tls;
mod uploads;

pub use self::{
    access::{Access, Log},
    htpasswd::{Htpasswd, HtpasswdError},
    options::ServeOptions,
    server::Server,
    tls::{Tls, TlsError},
};
