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

use super::{PackError, describe_file, stamp::Stamp};
use crate::oci::{Descriptor, Digest};

/// Digests of files that were hashed before, so that a file that has not changed since is not hashed again.
///
/// That it has not is told by its path, size, inode and times. What is sent is verified against the digest all the same.
#[derive(Debug, Default)]
pub struct DigestCache {
    file: Option<PathBuf>,
    /// Read when it is first asked for.
    known: Mutex<Option<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    files: BTreeMap<String, Entry>,
    is_changed: bool,
}

/// What is kept on disk.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    version: u32,
    files: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    stamp: Stamp,
    digest: Digest,
    /// When it was last of use, in seconds since 1970.
    used: u64,
}

impl DigestCache {
    /// In bytes. Whatever is smaller is hashed in less time than it takes to look here.
    pub const LEAST: u64 = 1024 * 1024;
    const VERSION: u32 = 1;
    /// The files that are remembered, those that were of use last.
    const MOST: usize = 4096;
    /// How much of the file is read.
    const MOST_BYTES: u64 = 16 * 1024 * 1024;
    /// A file that has changed less than this before it was hashed may change again within the same tick of its clock.
    const SETTLED: Duration = Duration::from_secs(2);

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

    /// Keeps what is new for the next run.
    pub fn save(&self) -> io::Result<()> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(file), Some(known)) = (&self.file, known.as_mut().filter(|known| known.is_changed)) else {
            return Ok(());
        };
        let mut files: Vec<_> = known.files.iter().collect();
        files.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.used));
        let files = files.into_iter().take(Self::MOST).map(|(key, entry)| (key.clone(), entry.clone())).collect();
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Whole or not at all: another run may read it meanwhile.
        let mut staged = NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut staged, &Kept { version: Self::VERSION, files })?;
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
            let files = Self::read(file).unwrap_or_default();
            *known = Some(Known { files, is_changed: false });
        }
        known
    }

    fn read(file: &Path) -> Option<BTreeMap<String, Entry>> {
        let mut text = Vec::new();
        File::open(file).ok()?.take(Self::MOST_BYTES).read_to_end(&mut text).ok()?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        (kept.version == Self::VERSION).then_some(kept.files)
    }

    fn key(&self, path: &Path, metadata: &Metadata) -> Option<(String, Stamp)> {
        let is_worth_it = self.file.is_some() && metadata.is_file() && metadata.len() >= Self::LEAST;
        let path = path.is_absolute().then(|| path.to_str()).flatten().filter(|_| is_worth_it)?;
        Some((path.to_owned(), Stamp::of(metadata)?))
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

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
