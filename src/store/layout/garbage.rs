//! Removing what nothing reaches.
//!
//! Of a layout stays: every manifest with a tag or another name, what an index that stays lists, and what refers to a
//! manifest that stays, on all levels; and every blob that these need. What is younger than the grace period stays too,
//! with all that it needs: somebody may be about to tag it. Manifests are looked for under the lock that every write
//! holds, so that a manifest which is written meanwhile either finds its blobs or is refused.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{LayoutRoot, LayoutStore, catalog::Catalog, contents::Known, folder::Folder};
use crate::{
    oci::{Algorithm, Descriptor, Digest},
    store::{StoreError, needs},
};

/// What is garbage.
#[derive(Debug, Clone, Copy)]
pub struct GarbageOptions {
    /// What is younger than this stays.
    pub grace: Duration,
    /// Manifests without a tag stay, though nothing reaches them.
    pub keep_untagged: bool,
    /// Nothing is removed.
    pub dry_run: bool,
}

/// Something that nothing reaches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Garbage {
    /// A manifest.
    Manifest {
        /// Its digest.
        digest: Digest,
        /// In bytes.
        size: u64,
    },
    /// A blob.
    Blob {
        /// Its digest.
        digest: Digest,
        /// In bytes.
        size: u64,
    },
    /// A file that somebody began to write and did not finish.
    Unfinished {
        /// Where it lies.
        path: PathBuf,
        /// In bytes.
        size: u64,
    },
}

impl LayoutRoot {
    /// Removes uploads that nobody is working on any more.
    pub fn collect_uploads(&self, options: &GarbageOptions) -> Result<Vec<Garbage>, StoreError> {
        let uploads = self.uploads();
        if uploads.is_dir() { unfinished(&uploads, options) } else { Ok(Vec::new()) }
    }
}

impl LayoutStore {
    /// Removes what nothing reaches, and says what it was; sorted. It blocks.
    pub fn collect_garbage(&self, options: &GarbageOptions) -> Result<Vec<Garbage>, StoreError> {
        let mut garbage = self.catalog.collect(options)?;
        let ingest = self.catalog.folder().ingest();
        if ingest.is_dir() {
            garbage.extend(unfinished(&ingest, options)?);
        }
        garbage.sort();
        Ok(garbage)
    }
}

/// The files of one layout under `blobs/`.
struct File {
    size: u64,
    is_young: bool,
}

impl Catalog {
    fn collect(&self, options: &GarbageOptions) -> Result<Vec<Garbage>, StoreError> {
        let _lock = self.folder().lock()?;
        let mut index = self.index()?;
        let files = files(self.folder(), options.grace)?;
        let mut known = HashMap::new();
        let mut waiting: Vec<Descriptor> = index.manifests().map(|descriptor| descriptor.plain()).collect();
        while let Some(descriptor) = waiting.pop() {
            if !known.contains_key(&descriptor.digest)
                && let Some(found) = self.look_at(&descriptor)?
            {
                waiting.extend(found.children.iter().cloned());
                known.insert(descriptor.digest, found);
            }
        }
        let is_young = |digest: &Digest| files.get(digest).is_some_and(|file| file.is_young);
        let named: HashSet<&Digest> = index.kept().map(|descriptor| &descriptor.digest).collect();
        let listed: HashSet<&Digest> = index.manifests().map(|descriptor| &descriptor.digest).collect();
        let roots = known.keys().filter(|digest| {
            named.contains(digest) || is_young(digest) || (options.keep_untagged && listed.contains(digest))
        });
        let kept = reach(roots, &known);
        let mut needed: HashSet<Digest> = named.iter().map(|digest| (*digest).clone()).collect();
        for digest in &kept {
            let Some(found) = known.get(digest) else { continue };
            needed.insert(digest.clone());
            if let Some(manifest) = self.read(&found.referrer.plain())? {
                needed.extend(needs::all(&manifest).map(|descriptor| descriptor.digest.clone()));
            }
        }
        let mut garbage = Vec::new();
        for (digest, file) in files.iter().filter(|(digest, file)| !needed.contains(digest) && !file.is_young) {
            let (digest, size) = (digest.clone(), file.size);
            garbage.push(if known.contains_key(&digest) {
                Garbage::Manifest { digest, size }
            } else {
                Garbage::Blob { digest, size }
            });
        }
        if !options.dry_run {
            let mut changed = false;
            for digest in known.keys().filter(|digest| !needed.contains(digest)) {
                changed |= index.remove(digest);
            }
            if changed {
                self.rewrite(&index)?;
            }
            for item in &garbage {
                if let Garbage::Manifest { digest, .. } | Garbage::Blob { digest, .. } = item {
                    self.forget(digest);
                    self.folder().remove(digest)?;
                }
            }
        }
        Ok(garbage)
    }
}

/// Everything that hangs together with `roots`: what they list, and what refers to them.
fn reach<'a>(
    roots: impl Iterator<Item = &'a Digest>,
    known: &'a HashMap<Digest, std::sync::Arc<Known>>,
) -> HashSet<Digest> {
    let mut referrers: HashMap<&Digest, Vec<&Digest>> = HashMap::new();
    for (digest, found) in known {
        if let Some(subject) = &found.subject {
            referrers.entry(subject).or_default().push(digest);
        }
    }
    let mut kept = HashSet::new();
    let mut waiting: Vec<&Digest> = roots.collect();
    while let Some(digest) = waiting.pop() {
        if !kept.insert(digest.clone()) {
            continue;
        }
        waiting.extend(referrers.get(digest).into_iter().flatten());
        if let Some(found) = known.get(digest) {
            waiting.extend(found.children.iter().map(|child| &child.digest));
        }
    }
    kept
}

/// What lies under `blobs/`. What is not named like content is somebody else's.
fn files(folder: &Folder, grace: Duration) -> Result<HashMap<Digest, File>, StoreError> {
    let mut files = HashMap::new();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let path = folder.root().join("blobs").join(algorithm.name());
        if !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            continue;
        }
        for (path, metadata) in entries(&path)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Ok(digest) = format!("{algorithm}:{name}").parse() {
                files.insert(digest, File { size: metadata.len(), is_young: is_young(&metadata, grace) });
            }
        }
    }
    Ok(files)
}

/// Removes what somebody began to write: not what is still being written, and not what is young.
fn unfinished(folder: &Path, options: &GarbageOptions) -> Result<Vec<Garbage>, StoreError> {
    let mut garbage = Vec::new();
    for (path, metadata) in entries(folder)? {
        let is_held = || fs::File::open(&path).is_ok_and(|file| file.try_lock().is_err());
        if is_young(&metadata, options.grace) || is_held() {
            continue;
        }
        if !options.dry_run {
            fs::remove_file(&path).map_err(|source| StoreError::Io { path: path.clone(), source })?;
        }
        garbage.push(Garbage::Unfinished { path, size: metadata.len() });
    }
    garbage.sort();
    Ok(garbage)
}

/// The files of a folder.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, fs::Metadata)>, StoreError> {
    let fail = |source| StoreError::Io { path: folder.to_owned(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        // Gone since it was listed is gone.
        if let Ok(metadata) = fs::symlink_metadata(&path)
            && metadata.is_file()
        {
            entries.push((path, metadata));
        }
    }
    Ok(entries)
}

fn is_young(metadata: &fs::Metadata, grace: Duration) -> bool {
    let age = metadata.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_none_or(|age| age < grace)
}
