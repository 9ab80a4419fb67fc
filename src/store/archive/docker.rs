//! Reading what `docker save` and `skopeo copy … docker-archive:` write. Everything here blocks.
//!
//! An archive of Docker has configs and layers, and no manifests: the manifest is made here, always the same one. Layers
//! stay as they are, which is uncompressed most of the time; then their digests are known from the config.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use serde::Deserialize;

use super::{
    contents::{Contents, Place},
    tar_file::{Extent, TarFile, wrong},
};
use crate::{
    oci::{Algorithm, Descriptor, Digest, Hasher, ImageManifest, Manifest, Repository, RootFs, Tag, media_type},
    store::{Source, StoreError},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

/// The most that `manifest.json` and each config may weigh, and the most images.
const LIMIT: u64 = 4 * 1024 * 1024;
/// The most that all configs may weigh together.
const CONFIGS: u64 = 256 * 1024 * 1024;
const IMAGES: usize = 10_000;

/// What the archive holds.
pub(super) fn read(path: &Path, repository: &Repository, archive: TarFile) -> Result<Contents, StoreError> {
    let Some(list) = archive.read("manifest.json", LIMIT)? else {
        return Err(wrong(path, "it is no archive of Docker: there is no file `manifest.json` in it"));
    };
    let items: Vec<Item> = serde_json::from_slice(&list)
        .map_err(|error| wrong(path, format!("its `manifest.json` is not what Docker writes: {error}")))?;
    if items.len() > IMAGES {
        return Err(wrong(path, format!("it has more than {IMAGES} images")));
    }
    let contents = Contents::new(repository, Some(archive.stamp()));
    let mut reading = Reading { path, contents, archive: Arc::new(archive), weight: 0, compressed: HashMap::new() };
    let mut named: BTreeMap<Tag, Vec<(&str, Manifest)>> = BTreeMap::new();
    for item in &items {
        let manifest = reading.image(item)?;
        reading.contents.insert(&manifest, None);
        for name in item.repo_tags.iter().flatten() {
            // `registry/repository:tag`
            if let Some(tag) = name.rsplit_once(':').and_then(|(_, tag)| tag.parse().ok()) {
                named.entry(tag).or_default().push((name, manifest.clone()));
            }
        }
    }
    let mut ambiguous = HashMap::new();
    for (tag, names) in named {
        let Some(((_, first), others)) = names.split_first() else { continue };
        if others.iter().all(|(_, other)| other.digest() == first.digest()) {
            reading.contents.insert(first, Some(&tag));
        } else {
            ambiguous.insert(tag, names.iter().map(|(name, _)| (*name).to_owned()).collect());
        }
    }
    Ok(reading.contents.with_ambiguous(ambiguous))
}

struct Reading<'a> {
    path: &'a Path,
    archive: Arc<TarFile>,
    contents: Contents,
    /// Of the configs that were read.
    weight: u64,
    /// The digests of layers that are compressed, by where they are: images share them.
    compressed: HashMap<u64, Digest>,
}

impl Reading<'_> {
    fn image(&mut self, item: &Item) -> Result<Manifest, StoreError> {
        let missing =
            |name: &str| wrong(self.path, format!("there is no file `{name}` in it, which its manifest.json names"));
        let bytes = self.archive.read(&item.config, LIMIT)?.ok_or_else(|| missing(&item.config))?;
        self.weight += bytes.len() as u64;
        if self.weight > CONFIGS {
            return Err(wrong(self.path, format!("its configs have more than {CONFIGS} bytes together")));
        }
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|error| wrong(self.path, format!("`{}` in it is no config of an image: {error}", item.config)))?;
        let layers = item.layers.as_deref().unwrap_or_default();
        if layers.len() != config.rootfs.diff_ids.len() {
            let message = format!(
                "its image has {} layers, of which the config knows {}",
                layers.len(),
                config.rootfs.diff_ids.len()
            );
            return Err(wrong(self.path, message));
        }
        let descriptor = Descriptor::of(media_type::IMAGE_CONFIG, &bytes);
        self.place(&descriptor, self.archive.find(&item.config).ok_or_else(|| missing(&item.config))?);
        let mut manifest = ImageManifest::new(descriptor);
        for (name, diff_id) in layers.iter().zip(config.rootfs.diff_ids) {
            let extent = self.archive.find(name).ok_or_else(|| missing(name))?;
            let (media_type, digest) = self.layer(extent, diff_id)?;
            let layer = Descriptor::new(media_type, digest, extent.size);
            self.place(&layer, extent);
            manifest.layers.push(layer);
        }
        Ok(Manifest::from_image(manifest)?)
    }

    /// What a layer is. One that is compressed has a digest of its own.
    fn layer(&mut self, extent: Extent, diff_id: Digest) -> Result<(&'static str, Digest), StoreError> {
        let start = self.archive.piece(extent, 0, 4)?;
        let media_type = match &start[..] {
            [0x1f, 0x8b, ..] => media_type::LAYER_TAR_GZIP,
            [0x28, 0xb5, 0x2f, 0xfd] => media_type::LAYER_TAR_ZSTD,
            _ => return Ok((media_type::LAYER_TAR, diff_id)),
        };
        if let Some(known) = self.compressed.get(&extent.offset) {
            return Ok((media_type, known.clone()));
        }
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut at = 0;
        while at < extent.size {
            let piece: Bytes = self.archive.piece(extent, at, Source::PIECE)?;
            at += piece.len() as u64;
            hasher.update(&piece);
        }
        let digest = hasher.finish();
        self.compressed.insert(extent.offset, digest.clone());
        Ok((media_type, digest))
    }

    fn place(&self, blob: &Descriptor, extent: Extent) {
        self.contents.put(blob.digest.clone(), Place::Inside { archive: Arc::clone(&self.archive), extent });
    }
}
