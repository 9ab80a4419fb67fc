use std::{
    fs::{self, Metadata},
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    PackError,
    stamp::Stamp,
    walk::{Found, walk},
};
use crate::oci::{Algorithm, Digest, Hasher};

/// What tells that a folder is the one that was packed, and has not changed since: what is in it, and the stamps of its files.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// One digest for all of it.
    pub(super) listing: Digest,
    /// How long everything had been left alone.
    pub(super) quiet: Duration,
}

/// What was seen of a folder so far.
pub(super) struct Listing {
    hasher: Hasher,
    begun: SystemTime,
    /// The last change of a file.
    newest: SystemTime,
    /// The system tells enough of every file.
    is_told: bool,
}

impl Listing {
    /// Of nothing yet. Every file is looked at after this, and before it is read.
    pub(super) fn new() -> Self {
        Self {
            hasher: Hasher::new(Algorithm::Sha256),
            begun: SystemTime::now(),
            newest: SystemTime::UNIX_EPOCH,
            is_told: true,
        }
    }

    /// That of a folder as it is now, without reading its files.
    pub(super) fn of(directory: &Path) -> Result<Option<Seen>, PackError> {
        let mut listing = Self::new();
        walk(directory, |path, name, found| {
            match found {
                Found::Folder => listing.folder(name),
                Found::Link(target) => listing.link(name, target),
                Found::File => listing.file(name, &fs::symlink_metadata(path).map_err(PackError::io(path))?),
            }
            Ok(())
        })?;
        Ok(listing.finish())
    }

    pub(super) fn folder(&mut self, name: &str) {
        self.add(&[b"d", name.as_bytes()]);
    }

    pub(super) fn link(&mut self, name: &str, target: &str) {
        self.add(&[b"l", name.as_bytes(), target.as_bytes()]);
    }

    pub(super) fn file(&mut self, name: &str, metadata: &Metadata) {
        let Some(stamp) = Stamp::of(metadata) else {
            self.is_told = false;
            return;
        };
        self.newest = self.newest.max(stamp.changed());
        self.add(&[b"f", name.as_bytes(), &stamp.to_bytes()]);
    }

    /// All of it. Nothing where the system does not tell enough.
    pub(super) fn finish(self) -> Option<Seen> {
        let quiet = self.begun.duration_since(self.newest).unwrap_or_default();
        self.is_told.then(|| Seen { listing: self.hasher.finish(), quiet })
    }

    /// Each part with its length: nothing else reads the same.
    fn add(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.hasher.update(&(part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{
        fs::{File, Permissions},
        os::unix::fs::{PermissionsExt, symlink},
    };

    use super::*;

    fn listing(directory: &Path) -> Digest {
        Listing::of(directory).unwrap().unwrap().listing
    }

    #[test]
    fn every_change_in_a_folder_shows() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("b")).unwrap();
        for (name, content) in [("a", "1"), ("b/c", "2"), ("d", "3")] {
            fs::write(root.join(name), content).unwrap();
        }
        symlink("a", root.join("l")).unwrap();
        let mut seen = vec![listing(root)];
        assert_eq!(listing(root), seen[0]);
        let changes: [&dyn Fn(); 7] = [
            &|| fs::write(root.join("a"), "12").unwrap(),
            &|| fs::set_permissions(root.join("a"), Permissions::from_mode(0o755)).unwrap(),
            &|| File::options().write(true).open(root.join("d")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap(),
            &|| fs::rename(root.join("d"), root.join("e")).unwrap(),
            &|| fs::create_dir(root.join("n")).unwrap(),
            &|| {
                fs::remove_file(root.join("l")).unwrap();
                symlink("b", root.join("l")).unwrap();
            },
            &|| fs::remove_file(root.join("b/c")).unwrap(),
        ];
        for (number, change) in changes.iter().enumerate() {
            change();
            let now = listing(root);
            assert!(!seen.contains(&now), "{number}");
            seen.push(now);
        }
    }

    #[test]
    fn how_long_a_folder_was_left_alone_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let quiet = || Listing::of(folder.path()).unwrap().unwrap().quiet;
        assert!(quiet() > Duration::from_hours(24));
        let file = File::create(folder.path().join("a")).unwrap();
        assert!(quiet() < Duration::from_hours(1));
        file.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
        assert_eq!(quiet(), Duration::ZERO);
        assert!(Listing::of(&folder.path().join("a")).is_err());
    }
}
