//! Which platform a manifest is for, and finding the manifest for a platform.

use serde::Deserialize;
use serde_json::Value;

use super::StepError;
use crate::{
    oci::{Descriptor, Manifest, Platform, Reference, media_type},
    plan::{Diagnostic, yaml::Spanned},
    store::{self, Store},
};

/// The largest config that is read for what it says, in bytes.
pub(super) const CONFIG_LIMIT: u64 = 4 * 1024 * 1024;

/// What is wrong with a platform as a plan has it.
pub(super) fn check_platform(given: Option<&Spanned<String>>) -> Option<Diagnostic> {
    let given = given?;
    let error = given.parse::<Platform>().err()?;
    Some(Diagnostic::new(error.to_string()).at(given.span))
}

/// The platform of a field that was checked.
pub(super) fn platform(given: Option<&Spanned<String>>) -> Result<Option<Platform>, StepError> {
    let parsed = given.map(|given| given.parse::<Platform>()).transpose();
    parsed.map_err(|error| StepError::BrokenOff { message: error.to_string() })
}

/// The platform of a container image, as its config has it; nothing for any other artifact.
pub(super) async fn platform_of(
    store: &dyn Store,
    manifest: &Manifest,
    reference: &Reference,
) -> Result<Option<Platform>, StepError> {
    let config = manifest.as_image().map(|image| &image.config);
    let Some(config) = config.filter(|config| media_type::is_image_config(&config.media_type)) else {
        return Ok(None);
    };
    let fail = || StepError::store("fetch the config of", reference);
    let content = store.blob(config).await.map_err(fail())?;
    let bytes = store::read(config, content, CONFIG_LIMIT).await.map_err(fail())?;
    let platform = serde_json::from_slice::<Value>(&bytes).ok().and_then(|config| Platform::deserialize(config).ok());
    Ok(platform.filter(|platform| !platform.os.is_empty() && !platform.architecture.is_empty()))
}

/// The manifest for `platform` in what `reference` names: of an index the one that it has for it, otherwise the manifest
/// itself, if it is for that platform.
pub(super) async fn for_platform(
    store: &dyn Store,
    manifest: Manifest,
    reference: &Reference,
    platform: &Platform,
) -> Result<Manifest, StepError> {
    if manifest.as_image().is_some() {
        let own = platform_of(store, &manifest, reference).await?;
        return match own {
            Some(own) if own.suits(platform) => Ok(manifest),
            Some(own) => Err(none(reference, platform, &[own])),
            None => Err(none(reference, platform, &[])),
        };
    }
    let chosen = choose(manifest.manifests(), reference, platform)?;
    let found = store.manifest(&chosen.digest.clone().into()).await;
    let found = found.map_err(StepError::store("fetch", reference))?;
    let missing = || Reference::by_digest(reference.repository.clone(), chosen.digest.clone());
    found.ok_or_else(|| StepError::NotThere { reference: missing().to_string() })
}

/// The entry for `platform`. The first of those whose variant is what goes without saying, otherwise the first at all.
pub(super) fn choose<'a>(
    entries: &'a [Descriptor],
    reference: &Reference,
    platform: &Platform,
) -> Result<&'a Descriptor, StepError> {
    let suitable: Vec<_> = entries.iter().filter(|entry| is_for(entry, platform)).collect();
    let usual = |entry: &&&Descriptor| {
        entry.platform.as_ref().is_some_and(|own| own.known_variant() == platform.known_variant())
    };
    let chosen = suitable.iter().find(usual).or(suitable.first());
    let others = || entries.iter().filter_map(|entry| entry.platform.clone()).filter(|own| !own.is_unknown());
    chosen.copied().ok_or_else(|| none(reference, platform, &others().collect::<Vec<_>>()))
}

/// Whether an entry of an index is the manifest for that platform.
pub(super) fn is_for(entry: &Descriptor, platform: &Platform) -> bool {
    entry.is_manifest() && entry.platform.as_ref().is_some_and(|own| own.suits(platform))
}

fn none(reference: &Reference, platform: &Platform, others: &[Platform]) -> StepError {
    let mut there: Vec<_> = others.iter().map(ToString::to_string).collect();
    there.sort();
    there.dedup();
    StepError::NoPlatform { reference: reference.to_string(), platform: platform.to_string(), there }
}
