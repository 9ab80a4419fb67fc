//! Plans that a plan includes from registries, brought to this machine before it is looked at.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::signals::runtime;
use crate::{
    oci::{Digest, Manifest, Reference, RegistryName},
    plan::{FetchedPlans, SourceFile},
    program::{CompileOptions, MissingPlans},
    store::{
        Stores, read,
        registry::{Credentials, Registries, RegistryOptions},
    },
};

/// Whether plans are fetched that are not on this machine.
#[derive(Clone, Copy)]
pub(super) enum Fetch<'a> {
    /// Nobody is asked.
    Never,
    /// They are, over plain HTTP where these hosts are asked; a tag that is locked is what the lock says.
    Wanted(&'a [String]),
    /// The same, and what tags name is found out anew.
    Anew(&'a [String]),
}

/// No plan is larger, in bytes.
const LARGEST: u64 = 8 << 20;
/// A plan may include others, which are known only when it is there.
const DEEPEST: usize = 16;

impl Fetch<'_> {
    /// What is known of tags before anybody is asked.
    pub(super) fn tags(self, locked: impl FnOnce() -> BTreeMap<String, Digest>) -> BTreeMap<String, Digest> {
        if matches!(self, Self::Anew(_)) { BTreeMap::new() } else { locked() }
    }

    /// Fetches what is missing, or says what went wrong.
    pub(super) fn fetch(self, source: &SourceFile, options: &CompileOptions) -> Result<(), String> {
        let (Self::Wanted(hosts) | Self::Anew(hosts)) = self else { return Ok(()) };
        for _ in 0..=DEEPEST {
            let MissingPlans { references, registries } = MissingPlans::of(source, options);
            if references.is_empty() {
                return Ok(());
            }
            let plain_http = hosts.iter().map(|host| host.parse::<RegistryName>());
            let plain_http: BTreeSet<_> =
                plain_http.collect::<Result<_, _>>().map_err(|error| format!("--plain-http: {error}"))?;
            let credentials = Credentials::from_environment();
            let options_of = RegistryOptions { plain_http, credentials, settings: registries, ..Default::default() };
            let stores = Stores::real(Registries::new(options_of).map_err(|error| error.to_string())?);
            let runtime = runtime().map_err(|error| error.to_string())?;
            for reference in &references {
                let plan = runtime.block_on(plan(&stores, options, reference));
                let (manifest, layer, bytes) =
                    plan.map_err(|why| format!("the plan `{reference}` cannot be fetched: {why}"))?;
                let kept = options.places.plans.keep(reference, &manifest, (&layer, &bytes));
                kept.map_err(|error| format!("the plan `{reference}` cannot be kept: {error}"))?;
            }
            runtime.shutdown_background();
        }
        Ok(())
    }
}

/// A plan, verified: its manifest, and the digest and the content of its layer.
async fn plan(
    stores: &Stores,
    options: &CompileOptions,
    reference: &Reference,
) -> Result<(Manifest, Digest, Bytes), String> {
    let store = stores.open(&options.places.repository(&reference.repository));
    let target = reference.target().ok_or("it has no tag and no digest")?;
    let found = store.manifest(&target).await.map_err(|error| error.to_string())?;
    let manifest = found.ok_or("it does not exist")?;
    let digest = FetchedPlans::layer(&manifest)?;
    let layer = manifest.blobs().find(|blob| blob.digest == digest).ok_or("it has no layer")?;
    let content = store.blob(layer).await.map_err(|error| error.to_string())?;
    let bytes = read(layer, content, LARGEST).await.map_err(|error| error.to_string())?;
    Ok((manifest, digest, bytes))
}
