//! Repositories behind HTTP: the distribution API, spoken the way real registries need it.
//!
//! One [`Registries`] serves a whole run; every [`RegistryStore`] comes from it and shares its connections, its logins
//! and what it knows. Every request goes through `http.rs`, every URL that a registry hands out through `origin.rs`.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md>

mod challenge;
mod credential_file;
mod credential_helper;
mod credentials;
mod error;
mod link;
mod options;
mod origin;
mod registries;
mod secret;
mod store;

pub use self::{
    credentials::{Credential, CredentialError, Credentials},
    error::{RegistryError, RegistryMessage, RegistryProblem},
    options::RegistryOptions,
    origin::LeadError,
    registries::Registries,
    secret::Secret,
    store::RegistryStore,
};
