//! The image that an image is made on: its layers, which stay as they are, and its config, which is added to.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    StepContext, StepError,
    flat::flat,
    platforms::{CONFIG_LIMIT, choose, for_platform},
};
use crate::{
    oci::{Descriptor, Digest, Manifest, Platform, Reference, Repository, annotation, media_type},
    store::{self, Store},
};

/// One image to build on.
pub(super) struct Base {
    /// Who has its layers.
    pub(super) store: Arc<dyn Store>,
    /// What it runs on.
    pub(super) platform: Platform,
    /// With the media types of the OCI.
    pub(super) layers: Vec<Descriptor>,
    /// The uncompressed digest of each layer.
    pub(super) diff_ids: Vec<Digest>,
    /// Every member of its config.
    pub(super) config: Map<String, Value>,
}

/// What a base turned out to be.
pub(super) enum Bases {
    /// An image, or the one of an index that was asked for.
    One(Box<Base>),
    /// An index: an image for each of its platforms, in its order.
    Several(Vec<Base>),
}

/// Reads the base: one image where it is one or `platform` chooses one. The digest is that of what `reference` names.
pub(super) async fn read(
    cx: &StepContext,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<(Digest, Bases), StepError> {
    let store = cx.open(&reference.repository);
    let root = cx.manifest(reference).await?;
    let digest = root.digest().clone();
    if root.as_image().is_some() {
        let manifest = match platform {
            Some(platform) => for_platform(&*store, root, reference, platform).await?,
            None => root,
        };
        return Ok((digest, Bases::One(Box::new(base(&store, &manifest, reference, None).await?))));
    }
    let listed = flat(&*store, &root, reference).await?;
    if let Some(platform) = platform {
        let entry = choose(&listed, reference, platform)?;
        return Ok((digest, Bases::One(Box::new(fetch(&store, entry, reference).await?))));
    }
    let mut bases = Vec::new();
    for entry in &listed {
        // What is for no platform says something about the others: an attestation, a signature.
        if entry.platform.as_ref().is_some_and(|platform| !platform.is_unknown()) {
            bases.push(fetch(&store, entry, reference).await?);
        }
    }
    if bases.is_empty() {
        return Err(no_image(reference, "an index without an image for a platform"));
    }
    Ok((digest, Bases::Several(bases)))
}

/// The annotations that say what an image was made on. Only what a registry has is named.
///
/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys>
pub(super) fn annotations(reference: &Reference, digest: &Digest) -> Vec<(String, String)> {
    let mut annotations = vec![(annotation::BASE_DIGEST.to_owned(), digest.to_string())];
    if let Repository::Registry { .. } = &reference.repository {
        annotations.push((annotation::BASE_NAME.to_owned(), reference.to_string()));
    }
    annotations
}

async fn fetch(store: &Arc<dyn Store>, entry: &Descriptor, reference: &Reference) -> Result<Base, StepError> {
    let found = store.manifest(&entry.digest.clone().into()).await;
    let name = Reference::by_digest(reference.repository.clone(), entry.digest.clone());
    let found = found.map_err(StepError::store("fetch", &name))?;
    let manifest = found.ok_or_else(|| StepError::NotThere { reference: name.to_string() })?;
    base(store, &manifest, reference, entry.platform.clone()).await
}

async fn base(
    store: &Arc<dyn Store>,
    manifest: &Manifest,
    reference: &Reference,
    listed_for: Option<Platform>,
) -> Result<Base, StepError> {
    let image = manifest.as_image().filter(|image| media_type::is_image_config(&image.config.media_type));
    let image = image.ok_or_else(|| no_image(reference, "an artifact without the config of an image"))?;
    let fail = || StepError::store("fetch the config of", reference);
    let content = store.blob(&image.config).await.map_err(fail())?;
    let bytes = store::read(&image.config, content, CONFIG_LIMIT).await.map_err(fail())?;
    let config = serde_json::from_slice::<Map<String, Value>>(&bytes).ok();
    let config = config.ok_or_else(|| no_image(reference, "an image whose config is no JSON"))?;
    let diff_ids = config.get("rootfs").and_then(|rootfs| Vec::deserialize(rootfs.get("diff_ids")?).ok());
    let diff_ids: Vec<Digest> = diff_ids.unwrap_or_default();
    if diff_ids.len() != image.layers.len() {
        let what = format!("an image of {} layers, of which its config knows {}", image.layers.len(), diff_ids.len());
        return Err(no_image(reference, &what));
    }
    let own = Platform::deserialize(Value::Object(config.clone())).ok();
    let platform = listed_for.or(own).filter(|own| !own.os.is_empty() && !own.architecture.is_empty());
    let platform = platform.ok_or_else(|| no_image(reference, "an image whose config names no platform"))?;
    let layers = image.layers.iter().map(|layer| {
        let media_type = media_type::oci_layer(&layer.media_type).to_owned();
        Descriptor { media_type, ..layer.clone() }
    });
    Ok(Base { store: Arc::clone(store), platform, layers: layers.collect(), diff_ids, config })
}

fn no_image(reference: &Reference, what: &str) -> StepError {
    StepError::WrongManifest {
        reference: reference.to_string(),
        what: what.to_owned(),
        wanted: "`base` takes a container image",
    }
}
