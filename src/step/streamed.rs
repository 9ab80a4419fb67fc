//! Large files that are sent while they are hashed: they are read once.
//!
//! Only where nothing says that the content may be there already: sending for nothing would cost more than hashing first.
//! What cannot be sent so is hashed and pushed like any other file.

use std::{
    collections::HashSet,
    fs::Metadata,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    StepContext,
    file::{FileSpec, Hashed},
};
use crate::{
    oci::{Reference, Target},
    pack,
    store::{Store, Unhashed},
};

/// In bytes. Smaller files are hashed in a moment.
const LARGE: u64 = 64 * 1024 * 1024;

/// Sends what is large in `files`, not hashed yet, and most likely new at `to`. What was sent is hashed then.
pub(super) async fn send(cx: &StepContext, to: &Reference, files: &[FileSpec]) -> Hashed {
    let mut hashed = Hashed::before(cx);
    if !to.repository.is_registry() {
        return hashed;
    }
    let (patterns, places) = (patterns(files), Arc::clone(&cx.places));
    let large = tokio::task::spawn_blocking(move || {
        let mut large = large_files(&patterns, &places.plan_folder);
        large.retain(|(path, metadata)| places.digests.find(path, metadata).is_none());
        large
    });
    let large = large.await.unwrap_or_default();
    if large.is_empty() {
        return hashed;
    }
    let store = cx.open(&to.repository);
    // Nothing is said of what is pushed without a tag, and of what an error hides.
    let Some(there) = sizes_there(&*store, to).await else { return hashed };
    for (path, before) in large.into_iter().filter(|(_, metadata)| !there.contains(&metadata.len())) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let content = Unhashed::file(&path, name, before.len()).watched(cx.progress.clone());
        if let Some(digest) = store.push_unhashed(&content).await {
            cx.places.digests.keep(&path, &before, &digest);
            hashed.sent.insert(path, (digest, before.len()));
        }
    }
    hashed
}

fn patterns(files: &[FileSpec]) -> Vec<String> {
    files.iter().filter_map(|file| file.path.as_ref()).map(|path| path.value.clone()).collect()
}

/// The large files that the patterns find. What is wrong with a pattern is said where it is packed.
fn large_files(patterns: &[String], folder: &Path) -> Vec<(PathBuf, Metadata)> {
    let found = patterns.iter().filter_map(|pattern| pack::expand(folder, pattern).ok()).flatten();
    let files = found.filter_map(|path| {
        let path = folder.join(path);
        let metadata = path.metadata().ok().filter(Metadata::is_file)?;
        Some((path, metadata))
    });
    let mut seen = HashSet::new();
    files.filter(|(path, metadata)| metadata.len() > LARGE && seen.insert(path.clone())).collect()
}

/// The sizes of the layers of what `to` names now: a file of one of these sizes may be the same.
async fn sizes_there(store: &dyn Store, to: &Reference) -> Option<HashSet<u64>> {
    let tag = to.tag.clone()?;
    let there = store.manifest(&Target::Tag(tag)).await.ok()?;
    let image = there.as_ref().and_then(|manifest| manifest.as_image());
    Some(image.map(|image| image.layers.iter().map(|layer| layer.size).collect()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn only_large_files_are_found_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("folder")).unwrap();
        for (name, size) in [("small", LARGE), ("a.bin", LARGE + 1), ("b.bin", LARGE + 2), ("folder/c", LARGE + 3)] {
            File::create(root.join(name)).unwrap().set_len(size).unwrap();
        }
        let patterns = ["*.bin", "a.bin", "small", "folder", "nothing", "../outside"].map(str::to_owned);
        let found = large_files(&patterns, root);
        let found: Vec<_> = found.into_iter().map(|(path, metadata)| (path, metadata.len())).collect();
        assert_eq!(found, [(root.join("a.bin"), LARGE + 1), (root.join("b.bin"), LARGE + 2)]);
    }
}
