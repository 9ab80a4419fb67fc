//! Repositories behind HTTP: the distribution API, spoken the way real registries need it.
//!
//! One [`Registries`] serves a whole run; every [`RegistryStore`] comes from it and shares its connections, its logins
//! and what it knows. Every request goes through `http.rs`, every URL that a registry hands out through `origin.rs`.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md>

mod access;
mod answer;
mod arrivals;
mod auth;
mod azure;
mod blobs;
mod challenge;
mod clients;
mod cooldown;
mod credential;
mod credential_file;
mod credential_helper;
mod credentials;
mod deletes;
pub mod doctor;
mod download;
#[cfg(test)]
mod economy;
mod error;
#[cfg(test)]
mod faults;
mod flights;
mod http;
mod identities;
mod knowledge;
mod late_credential;
mod limits;
mod link;
mod listing;
mod login_file;
mod manifests;
mod mirrors;
mod old_lists;
mod options;
mod origin;
mod outgoing;
mod pace;
mod parts;
mod permits;
mod referrers_api;
mod referrers_tag;
mod registries;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod registry;
mod remote_blob;
mod request;
mod scope;
mod session;
mod settings;
mod single_post;
mod store;
mod subject_list;
mod tags;
#[cfg(test)]
pub(super) mod testing;
mod tls;
mod token;
mod turns;
mod upload;

pub(super) use self::azure::is_registry as lists_manifests;
pub use self::{
    access::{Access, Action},
    credential::{Credential, CredentialSource, Login},
    credentials::{CredentialError, Credentials},
    error::{RegistryError, RegistryMessage, RegistryProblem},
    late_credential::{LateCredential, LateText},
    limits::{Limits, Rate, RateError},
    login_file::LoginFile,
    options::RegistryOptions,
    origin::LeadError,
    registries::Registries,
    settings::{ReferrersMode, RegistrySettings, Written},
    store::RegistryStore,
    tls::{Tls, TlsError},
};
use self::{answer::Answer, auth::Auth, request::Request, scope::Scope};
/// What tries a rehearsal's requests again, as real ones are.
pub(super) use self::{
    cooldown::Cooldown,
    pace::{Pace, Tries},
};
pub use crate::secret::Secret;
