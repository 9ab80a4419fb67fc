use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{KnownLayer, LayerOptions, PackError, describe_file, gzip, listing::Listing, stamp::Stamp};
use crate::oci::{Descriptor, Digest};

/// Digests of files that were hashed before, and of folders that were packed, so that what has not changed since is neither
/// hashed nor packed again.
///
/// That it has not is told by path, size, inode and times, of a folder by those of every file in it. What is sent is verified
/// against the digest all the same.
#[derive(Debug, Default)]
pub struct DigestCache {
    file: Option<PathBuf>,
    /// Read when it is first asked for.
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    files: BTreeMap<String, Entry>,
    folders: BTreeMap<String, FolderEntry>,
    is_changed: bool,
}

/// What is kept on disk.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    version: u32,
    files: BTreeMap<String, Entry>,
    /// By path and by how it was packed.
    #[serde(default)]
    folders: BTreeMap<String, FolderEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    stamp: Stamp,
    digest: Digest,
    /// When it was last of use, in seconds since 1970.
    used: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FolderEntry {
    /// What tells that it has not changed.
    listing: Digest,
    digest: Digest,
    size: u64,
    diff_id: Digest,
    /// When it was last of use, in seconds since 1970.
    used: u64,
}

/// What is known of a folder.
#[derive(Debug, Clone)]
pub enum FolderState {
    /// Nothing.
    Unknown,
    /// It was packed so, and something in it has changed since.
    Changed,
    /// It was packed so, and nothing has changed since.
    Known(Box<KnownLayer>),
}

impl DigestCache {
    /// In bytes. Whatever is smaller is hashed in less time than it takes to look here.
    pub const LEAST: u64 = 1024 * 1024;
    const VERSION: u32 = 1;
    /// The files that are remembered, those that were of use last.
    const MOST: usize = 4096;
    /// The same of folders.
    const MOST_FOLDERS: usize = 1024;
    /// What has changed less than this before it was looked at may change again within the same tick of its clock.
    const SETTLED: Duration = Duration::from_secs(2);
    /// How much of the file is read.
    const MOST_BYTES: u64 = 16 * 1024 * 1024;

    /// One that remembers nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// What was kept in that file, if it is there and can be read.
    pub fn in_file(file: impl Into<PathBuf>) -> Self {
        Self { file: Some(file.into()), known: Mutex::default() }
    }

    /// The digest of that file, if it was hashed since it has changed last.
    pub fn find(&self, path: &Path, metadata: &Metadata) -> Option<Digest> {
        let (key, stamp) = self.key(path, metadata)?;
        let mut known = self.known();
        let known = known.as_mut()?;
        let entry = known.files.get_mut(&key).filter(|entry| entry.stamp == stamp)?;
        entry.used = now();
        Some(entry.digest.clone())
    }

    /// The descriptor of a file, hashed only where that was not done since it has changed last. Blocking.
    pub fn describe(&self, path: &Path, media_type: &str) -> Result<Descriptor, PackError> {
        let before = fs::metadata(path).map_err(PackError::io(path))?;
        if let Some(digest) = self.find(path, &before) {
            return Ok(Descriptor::new(media_type, digest, before.len()));
        }
        let described = describe_file(path, media_type)?;
        self.keep(path, &before, &described.digest);
        Ok(described)
    }

    /// Remembers what a file has hashed to that looked like `before` when that began.
    pub fn keep(&self, path: &Path, before: &Metadata, digest: &Digest) {
        let Some((key, stamp)) = self.key(path, before) else { return };
        let is_settled = stamp.changed().elapsed().is_ok_and(|elapsed| elapsed >= Self::SETTLED);
        let after = fs::metadata(path).ok().and_then(|after| Stamp::of(&after));
        if !is_settled || after != Some(stamp) {
            return;
        }
        if let Some(known) = self.known().as_mut() {
            known.files.insert(key, Entry { stamp, digest: digest.clone(), used: now() });
            known.is_changed = true;
        }
    }

    /// Remembers that file no more.
    pub fn forget(&self, path: &Path) {
        let mut known = self.known();
        if let (Some(known), Some(key)) = (known.as_mut(), path.to_str()) {
            known.is_changed |= known.files.remove(key).is_some();
        }
    }

    /// What that folder was packed to. Blocking: where it was packed before, every file in it is looked at.
    pub fn find_folder(&self, folder: &Path, options: &LayerOptions) -> FolderState {
        let Some(key) = self.folder_key(folder, options) else { return FolderState::Unknown };
        let find = |known: &Option<Known>| known.as_ref()?.folders.get(&key).cloned();
        let Some(entry) = find(&self.known()) else { return FolderState::Unknown };
        // What is wrong with the folder is said where it is packed.
        let seen = Listing::of(folder).ok().flatten().filter(|seen| seen.listing == entry.listing);
        if seen.is_none() {
            return FolderState::Changed;
        }
        if let Some(entry) = self.known().as_mut().and_then(|known| known.folders.get_mut(&key)) {
            entry.used = now();
        }
        let descriptor = Descriptor::new(options.compression.media_type(), entry.digest, entry.size);
        FolderState::Known(Box::new(KnownLayer { descriptor, diff_id: entry.diff_id, seen }))
    }

    /// Remembers what a folder was packed to, where that is worth it.
    pub fn keep_folder(&self, folder: &Path, options: &LayerOptions, packed: &KnownLayer) {
        let is_worth_it = packed.descriptor.size >= Self::LEAST;
        let Some(key) = self.folder_key(folder, options).filter(|_| is_worth_it) else { return };
        if let Some(known) = self.known().as_mut() {
            known.is_changed |= match packed.seen.as_ref().filter(|seen| seen.quiet >= Self::SETTLED) {
                None => known.folders.remove(&key).is_some(),
                Some(seen) => {
                    let entry = FolderEntry {
                        listing: seen.listing.clone(),
                        digest: packed.descriptor.digest.clone(),
                        size: packed.descriptor.size,
                        diff_id: packed.diff_id.clone(),
                        used: now(),
                    };
                    known.folders.insert(key, entry);
                    true
                }
            };
        }
    }

    /// Keeps what is new for the next run.
    pub fn save(&self) -> io::Result<()> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(file), Some(known)) = (&self.file, known.as_mut().filter(|known| known.is_changed)) else {
            return Ok(());
        };
        let files = latest(&known.files, Self::MOST, |entry| entry.used);
        let folders = latest(&known.folders, Self::MOST_FOLDERS, |entry| entry.used);
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Whole or not at all: another run may read it meanwhile.
        let mut staged = NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut staged, &Kept { version: Self::VERSION, files, folders })?;
        staged.flush()?;
        staged.persist(file)?;
        known.is_changed = false;
        Ok(())
    }

    /// Nothing is known where nothing is kept.
    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(file), None) = (&self.file, &*known) {
            // What cannot be read is worth nothing.
            let Kept { files, folders, .. } = Self::read(file).unwrap_or_default();
            *known = Some(Known { files, folders, is_changed: false });
        }
        known
    }

    fn read(file: &Path) -> Option<Kept> {
        let mut text = Vec::new();
        File::open(file).ok()?.take(Self::MOST_BYTES).read_to_end(&mut text).ok()?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        (kept.version == Self::VERSION).then_some(kept)
    }

    fn key(&self, path: &Path, metadata: &Metadata) -> Option<(String, Stamp)> {
        let is_worth_it = self.file.is_some() && metadata.is_file() && metadata.len() >= Self::LEAST;
        let path = path.is_absolute().then(|| path.to_str()).flatten().filter(|_| is_worth_it)?;
        Some((path.to_owned(), Stamp::of(metadata)?))
    }

    /// The path, and everything besides what is in the folder that its bytes follow from.
    fn folder_key(&self, folder: &Path, options: &LayerOptions) -> Option<String> {
        let LayerOptions { prefix, form, compression, modified, temporary: _ } = options;
        let path = folder.is_absolute().then(|| folder.to_str()).flatten().filter(|_| self.file.is_some())?;
        let made = (env!("CARGO_PKG_VERSION"), gzip::FORM, format!("{form:?} {compression:?}"), modified, prefix, path);
        serde_json::to_vec(&made).ok().map(|made| Digest::sha256(&made).to_string())
    }
}

/// Those of the entries that were of use last.
fn latest<T: Clone>(entries: &BTreeMap<String, T>, most: usize, used: impl Fn(&T) -> u64) -> BTreeMap<String, T> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|(_, entry)| std::cmp::Reverse(used(entry)));
    sorted.into_iter().take(most).map(|(key, entry)| (key.clone(), entry.clone())).collect()
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::pack::{Compression, LayerForm, pack_directory};

    fn file(folder: &Path, name: &str, size: u64) -> PathBuf {
        let path = folder.join(name);
        File::create(&path).unwrap().set_len(size).unwrap();
        path
    }

    /// Puts an entry where `keep` would after the file has settled.
    fn remember(cache: &DigestCache, path: &Path, digest: &Digest) {
        let (key, stamp) = cache.key(path, &path.metadata().unwrap()).unwrap();
        let mut known = cache.known();
        let known = known.as_mut().unwrap();
        known.files.insert(key, Entry { stamp, digest: digest.clone(), used: now() });
        known.is_changed = true;
    }

    #[test]
    fn what_has_not_changed_is_found_by_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "large", DigestCache::LEAST);
        let digest = Digest::sha256(b"x");
        let kept = folder.path().join("cache/digests.json");
        let cache = DigestCache::in_file(&kept);
        assert_eq!(cache.find(&path, &path.metadata().unwrap()), None);
        remember(&cache, &path, &digest);
        cache.save().unwrap();
        let find = |path: &Path| DigestCache::in_file(&kept).find(path, &path.metadata().unwrap());
        assert_eq!(find(&path), Some(digest.clone()));

        // Another file of the same size and time.
        let other = file(folder.path(), "other", DigestCache::LEAST);
        let modified = path.metadata().unwrap().modified().unwrap();
        File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
        assert_eq!(find(&other), None);
        fs::rename(&other, &path).unwrap();
        assert_eq!(find(&path), None);
        remember(&cache, &path, &digest);
        cache.forget(&path);
        cache.save().unwrap();
        assert_eq!(find(&path), None);
    }

    #[test]
    fn what_may_change_unseen_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DigestCache::in_file(folder.path().join("digests.json"));
        let digest = Digest::sha256(b"x");
        // Changed just now, as its clock has it, and too small.
        let modified = SystemTime::now() + Duration::from_hours(1);
        for (name, size) in [("fresh", DigestCache::LEAST), ("small", DigestCache::LEAST - 1)] {
            let path = file(folder.path(), name, size);
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
            cache.keep(&path, &path.metadata().unwrap(), &digest);
            assert_eq!(cache.find(&path, &path.metadata().unwrap()), None, "{name}");
        }
        let path = file(folder.path(), "off", DigestCache::LEAST);
        let off = DigestCache::none();
        off.keep(&path, &path.metadata().unwrap(), &digest);
        assert_eq!(off.find(&path, &path.metadata().unwrap()), None);
        off.save().unwrap();
    }

    #[test]
    fn a_folder_in_which_nothing_has_changed_is_known_as_it_was_packed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tree");
        fs::create_dir(&root).unwrap();
        file(&root, "large", DigestCache::LEAST);
        let kept = folder.path().join("digests.json");
        let options = LayerOptions { compression: Compression::None, ..LayerOptions::artifact("tree") };
        let is_known = |options: &LayerOptions, packed: &KnownLayer| match DigestCache::in_file(&kept)
            .find_folder(&root, options)
        {
            FolderState::Unknown => None,
            FolderState::Changed => Some(false),
            FolderState::Known(known) => {
                Some((known.descriptor, known.diff_id) == (packed.descriptor.clone(), packed.diff_id.clone()))
            }
        };
        let keep = |packed: &KnownLayer| {
            let cache = DigestCache::in_file(&kept);
            cache.keep_folder(&root, &options, packed);
            cache.save().unwrap();
        };
        let fresh = pack_directory(&root, &options).unwrap().known();
        // It may change again within the same tick.
        keep(&fresh);
        assert_eq!(is_known(&options, &fresh), None);
        let settled = fresh.clone().settled();
        keep(&settled);
        assert_eq!(is_known(&options, &settled), Some(true));
        for other in [
            LayerOptions { modified: 1, ..options.clone() },
            LayerOptions { compression: Compression::Zstd, ..options.clone() },
            LayerOptions { prefix: "other".to_owned(), ..options.clone() },
            LayerOptions { form: LayerForm::Image, ..options.clone() },
        ] {
            assert_eq!(is_known(&other, &settled), None);
        }
        file(&root, "small", 1);
        assert_eq!(is_known(&options, &settled), Some(false));
        keep(&fresh);
        assert_eq!(is_known(&options, &settled), None);
    }

    #[test]
    fn a_small_layer_is_packed_as_fast_as_it_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("tree");
        fs::create_dir(&root).unwrap();
        let cache = DigestCache::in_file(folder.path().join("digests.json"));
        let options = LayerOptions::artifact("tree");
        cache.keep_folder(&root, &options, &pack_directory(&root, &options).unwrap().known().settled());
        assert!(matches!(cache.find_folder(&root, &options), FolderState::Unknown));
    }

    #[test]
    fn a_cache_that_cannot_be_read_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "large", DigestCache::LEAST);
        let kept = folder.path().join("digests.json");
        for text in ["", "{", "[]", r#"{"version":9,"files":{}}"#] {
            fs::write(&kept, text).unwrap();
            let cache = DigestCache::in_file(&kept);
            assert_eq!(cache.find(&path, &path.metadata().unwrap()), None, "{text}");
            remember(&cache, &path, &Digest::sha256(b"x"));
            cache.save().unwrap();
            assert!(DigestCache::in_file(&kept).find(&path, &path.metadata().unwrap()).is_some(), "{text}");
        }
    }
}
