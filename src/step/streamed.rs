//! Large files and folders that are sent while they are hashed and packed: they are read once.
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
    file::{self, FileSpec, Hashed},
    folders::{self, Folders},
};
use crate::{
    oci::{ImageManifest, Manifest, Reference, Target},
    pack::{self, Compression},
    store::{Store, Unhashed},
};

/// In bytes. Smaller files are hashed in a moment.
const LARGE: u64 = 64 * 1024 * 1024;

/// Sends what is large in `files`, not known yet, and most likely new at `to`. What was sent is known then.
pub(super) async fn send(cx: &StepContext, to: &Reference, files: &[FileSpec], compression: Compression) -> Hashed {
    let mut hashed = Hashed::before(cx);
    let store = cx.open(&to.repository);
    let folders = file::folders(cx, files, compression).await;
    let mut known = Folders::default();
    let folders = known.look(cx, &*store, folders).await;
    if to.repository.is_registry() {
        let (patterns, places) = (patterns(files), Arc::clone(&cx.places));
        let large = tokio::task::spawn_blocking(move || {
            let mut large = large_files(&patterns, &places.plan_folder);
            large.retain(|(path, metadata)| places.digests.find(path, metadata).is_none());
            large
        });
        let large = large.await.unwrap_or_default();
        let folders = folders::large(folders).await;
        if (!large.is_empty() || !folders.is_empty())
            && let Some(there) = there(&*store, to).await
        {
            let there = there.as_ref().and_then(Manifest::as_image);
            send_files(cx, &*store, large, there, &mut hashed).await;
            known.send(cx, &*store, folders, |folder| folders::may_be_in(there, &folder.options.prefix)).await;
        }
    }
    hashed.with_folders(known, store)
}

async fn send_files(
    cx: &StepContext,
    store: &dyn Store,
    large: Vec<(PathBuf, Metadata)>,
    there: Option<&ImageManifest>,
    hashed: &mut Hashed,
) {
    // A file of one of these sizes may be the same.
    let sizes: HashSet<u64> = there.map_or(&[][..], |image| &image.layers).iter().map(|layer| layer.size).collect();
    for (path, before) in large.into_iter().filter(|(_, metadata)| !sizes.contains(&metadata.len())) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let content = Unhashed::file(&path, name, before.len()).watched(cx.progress.clone());
        if let Some(digest) = store.push_unhashed(&content).await {
            cx.places.digests.keep(&path, &before, &digest);
            hashed.sent.insert(path, (digest, before.len()));
        }
    }
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

/// What the tag of `to` points to now. Nothing where that is not known: nothing is said of what is pushed without a tag, and
/// of what an error hides.
pub(super) async fn there(store: &dyn Store, to: &Reference) -> Option<Option<Manifest>> {
    store.manifest(&Target::Tag(to.tag.clone()?)).await.ok()
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
