//! What a plan's registries are asked with: settings, logins, secrets that must have a value.

use std::collections::BTreeSet;

use super::{complain, warn};
use crate::{
    oci::RegistryName,
    program::Program,
    secret::LateSecret,
    store::registry::{Credentials, LateCredential, Registries, RegistryOptions},
};

/// Whether every secret has a value that a step takes, as far as that can be told without asking. What has none was said.
pub(super) fn has_secrets(program: &Program) -> bool {
    let missing = program.missing_secrets();
    for (step, missing) in &missing {
        complain(&format!("step `{step}` needs {missing}"));
    }
    missing.is_empty()
}

/// What the plan's registries are asked with. Nothing: something is wrong, which has been said.
pub(super) fn registries(hosts: &[String], program: &Program) -> Option<Registries> {
    let touched: Vec<_> = program.registries().iter().filter(|(name, _)| program.touches(name)).collect();
    let mut is_complete = true;
    for (name, settings) in touched {
        for missing in settings.credential.iter().flat_map(LateCredential::secrets).filter_map(LateSecret::missing) {
            complain(&format!("`{name}` needs {missing}"));
            is_complete = false;
        }
        if settings.tls.is_unverified() {
            warn(&format!("`{name}`: whoever answers is believed, as the plan says with `insecure_skip_verify`"));
        }
    }
    if !is_complete {
        return None;
    }
    let mut plain_http = BTreeSet::new();
    for host in hosts {
        match host.parse::<RegistryName>() {
            Ok(name) => drop(plain_http.insert(name)),
            Err(error) => {
                complain(&format!("--plain-http: {error}"));
                return None;
            }
        }
    }
    let options = RegistryOptions {
        plain_http,
        credentials: Credentials::from_environment(),
        settings: program.registries().clone(),
        written: program.written(),
        ..RegistryOptions::default()
    };
    match Registries::new(options) {
        Ok(registries) => Some(registries),
        Err(error) => {
            complain(&error.to_string());
            None
        }
    }
}
