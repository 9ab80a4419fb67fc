//! An index with fewer platforms than the one that it comes from.
//!
//! It is an index of its own, with a digest of its own. One that keeps its digest would name manifests that are not there,
//! which many registries refuse, docker-registry among them.

use serde_json::Value;

use super::{
    StepError,
    platforms::{is_for, platform_of},
};
use crate::{
    oci::{Digest, Manifest, Platform, Reference},
    store::Store,
};

/// Where build tools say which manifest an attestation in an index is about.
const ABOUT: &str = "vnd.docker.reference.digest";

/// `root` with what it has for these platforms alone, and the attestations about that. It is `root` itself where nothing
/// is left out.
pub(super) async fn with_platforms(
    store: &dyn Store,
    root: Manifest,
    reference: &Reference,
    platforms: &[Platform],
) -> Result<Manifest, StepError> {
    let none = |platform: &Platform, there: Vec<String>| StepError::NoPlatform {
        reference: reference.to_string(),
        platform: platform.to_string(),
        there,
    };
    if root.as_image().is_some() {
        let own = platform_of(store, &root, reference).await?;
        let Some(wanted) = platforms.first() else { return Ok(root) };
        return match own {
            Some(own) if platforms.iter().any(|platform| own.suits(platform)) => Ok(root),
            own => Err(none(wanted, own.iter().map(ToString::to_string).collect())),
        };
    }
    let entries = root.manifests();
    for platform in platforms {
        if !entries.iter().any(|entry| is_for(entry, platform)) {
            let mut there: Vec<_> =
                entries.iter().filter_map(|entry| entry.platform.as_ref()).map(ToString::to_string).collect();
            there.sort();
            there.dedup();
            return Err(none(platform, there));
        }
    }
    let chosen: Vec<&Digest> = entries
        .iter()
        .filter(|entry| platforms.iter().any(|platform| is_for(entry, platform)))
        .map(|entry| &entry.digest)
        .collect();
    let stays = |at: usize| {
        entries.get(at).is_some_and(|entry| {
            let about = entry.annotations.get(ABOUT).and_then(|digest| digest.parse().ok());
            chosen.contains(&&entry.digest) || about.is_some_and(|about: Digest| chosen.contains(&&about))
        })
    };
    if (0..entries.len()).all(stays) {
        return Ok(root);
    }
    // What consign does not know in an index stays in it.
    let mut value: Value = serde_json::from_slice(root.bytes()).unwrap_or_default();
    if let Some(listed) = value.get_mut("manifests").and_then(Value::as_array_mut) {
        let mut at = 0;
        listed.retain(|_| {
            at += 1;
            stays(at - 1)
        });
    }
    Ok(Manifest::parse(root.media_type(), value.to_string().into())?)
}
