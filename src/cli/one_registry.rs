//! What commands that ask one registry have in common: how it is reached, outside of any plan.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;

use crate::{
    oci::RegistryName,
    store::registry::{RegistryOptions, RegistrySettings, Tls},
};

/// How a registry is reached.
#[derive(Debug, Args)]
pub(super) struct ReachArguments {
    /// Trusts these certificates too, in PEM.
    #[arg(long, value_name = "FILE", conflicts_with = "plain_http")]
    ca_file: Option<PathBuf>,
    /// Asks the registry over plain HTTP, as loopback registries are anyway.
    #[arg(long)]
    plain_http: bool,
}

impl ReachArguments {
    /// The same for the client, without a login. It says what is wrong with the file.
    pub(super) fn options(&self, registry: &RegistryName) -> Result<RegistryOptions, String> {
        let plain_http = self.plain_http.then(|| registry.clone()).into_iter().collect();
        let mut settings = BTreeMap::new();
        if let Some(path) = &self.ca_file {
            let tls = Tls::default().with_roots(path).map_err(|error| error.to_string())?;
            settings.insert(registry.clone(), RegistrySettings { tls, ..RegistrySettings::default() });
        }
        Ok(RegistryOptions { plain_http, settings, ..RegistryOptions::default() })
    }
}
