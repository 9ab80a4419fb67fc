//! Reading an archive that is an image layout in a tar. Everything here blocks.
//!
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md>

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::Arc,
};

use serde::Deserialize;

use super::{
    contents::{Contents, Place, digest_of, name_of},
    tar_file::{TarFile, wrong},
};
use crate::{
    oci::{Descriptor, Digest, Index, Manifest, Repository, annotation},
    store::{Graph, StoreError, content},
};

/// The most that `index.json` may weigh.
const INDEX: u64 = 64 * 1024 * 1024;
/// The most that the manifests may weigh together: they are kept in memory.
const MANIFESTS: u64 = 512 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

/// What the archive holds.
pub(super) fn read(path: &Path, repository: &Repository, archive: TarFile) -> Result<Contents, StoreError> {
    let marker = archive.read("oci-layout", 4096)?;
    let marker = marker.and_then(|bytes| serde_json::from_slice::<Marker>(&bytes).ok());
    match marker {
        Some(marker) if marker.image_layout_version.starts_with("1.") => {}
        Some(marker) => {
            let message = format!("it is an image layout of version `{}`; 1.0.0 is read", marker.image_layout_version);
            return Err(wrong(path, message));
        }
        None if archive.find("manifest.json").is_some() => {
            return Err(wrong(path, "it is no image layout, but an archive of Docker: write `docker-archive:`"));
        }
        None => return Err(wrong(path, "it is no image layout: there is no file `oci-layout` in it")),
    }
    let index = archive.read("index.json", INDEX)?;
    let index = index.ok_or_else(|| wrong(path, "there is no file `index.json` in it"))?;
    let index: Index = serde_json::from_slice(&index)
        .map_err(|error| wrong(path, format!("its `index.json` is not an image index: {error}")))?;
    let archive = Arc::new(archive);
    let contents = Contents::new(repository, Some(archive.stamp()));
    for (name, extent) in archive.files() {
        if let Some(digest) = digest_of(name) {
            contents.put(digest, Place::Inside { archive: Arc::clone(&archive), extent });
        }
    }
    manifests(path, &archive, &index, &contents)?;
    Ok(contents)
}

/// Reads every manifest that `index.json` leads to. What an index lists and is not there stays out.
fn manifests(path: &Path, archive: &TarFile, index: &Index, contents: &Contents) -> Result<(), StoreError> {
    let mut seen: HashSet<Digest> = HashSet::new();
    let mut weight = 0;
    let mut waiting: Vec<Descriptor> = index.manifests.iter().rev().cloned().collect();
    while let Some(entry) = waiting.pop() {
        let tag = entry.annotations.get(annotation::REF_NAME).and_then(|name| name.parse().ok());
        if !entry.is_manifest() || (tag.is_none() && seen.contains(&entry.digest)) {
            continue;
        }
        let Some(bytes) = archive.read(&name_of(&entry.digest), Manifest::MAX_SIZE)? else { continue };
        content::check(&entry, &bytes)?;
        weight += bytes.len() as u64;
        let manifest = Manifest::parse_as(&entry.media_type, entry.digest.clone(), bytes)?;
        contents.insert(&manifest, tag.as_ref());
        if seen.insert(entry.digest.clone()) {
            // Names count where the layout gives them, not inside of an index.
            let children = manifest.manifests().iter().rev();
            waiting.extend(children.map(|child| Descriptor { annotations: BTreeMap::new(), ..child.clone() }));
        }
        if weight > MANIFESTS || seen.len() > Graph::LIMIT || waiting.len() > 10 * Graph::LIMIT {
            return Err(wrong(path, "it has more manifests than are read"));
        }
    }
    Ok(())
}
