//! Repositories behind HTTP: the distribution API, spoken the way real registries need it.
//!
//! One [`Registries`] serves a whole run; every [`RegistryStore`] comes from it and shares its connections, its logins
//! and what it knows. Every request goes through `http.rs`, every URL that a registry hands out through `origin.rs`.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md>

mod answer;
mod arrivals;
mod auth;
mod blobs;
mod challenge;
mod clients;
mod cooldown;
mod credential_file;
mod credential_helper;
mod credentials;
mod deletes;
mod download;
mod error;
#[cfg(test)]
mod faults;
mod flights;
mod http;
mod knowledge;
mod limits;
mod link;
mod manifests;
mod options;
mod origin;
mod outgoing;
mod pace;
mod permits;
mod referrers_api;
mod referrers_tag;
mod registries;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod registry;
mod request;
mod scope;
mod secret;
mod session;
mod store;
mod subject_list;
mod tags;
#[cfg(test)]
mod testing;
mod token;
mod turns;
mod upload;

use self::{answer::Answer, auth::Auth, request::Request, scope::Scope};
pub use self::{
    credentials::{Credential, CredentialError, Credentials},
    error::{RegistryError, RegistryMessage, RegistryProblem},
    limits::{Limits, Rate, RateError},
    options::RegistryOptions,
    origin::LeadError,
    registries::Registries,
    secret::Secret,
    store::RegistryStore,
};
