use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::Path,
};

use super::PackError;
use crate::oci::{Algorithm, Descriptor, Digest, Hasher};

/// How much of a file is read at a time, in bytes.
const PIECE: usize = 1024 * 1024;

/// The descriptor of a file: its SHA-256 digest and its size. A symbolic link is followed.
pub fn describe_file(path: &Path, media_type: &str) -> Result<Descriptor, PackError> {
    let metadata = fs::metadata(path).map_err(PackError::io(path))?;
    if !metadata.is_file() {
        return Err(PackError::NotAFile { path: path.to_owned() });
    }
    let (digest, size) = hash(path, Algorithm::Sha256, metadata.len())?;
    Ok(Descriptor::new(media_type, digest, size))
}

/// Whether a file is there and is what `descriptor` says. A symbolic link is not a file.
pub fn verify_file(path: &Path, descriptor: &Descriptor) -> Result<bool, PackError> {
    let metadata = match fs::symlink_metadata(path).map_err(PackError::io(path)) {
        Ok(metadata) => metadata,
        Err(PackError::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    if !metadata.is_file() || metadata.len() != descriptor.size {
        return Ok(false);
    }
    let (digest, size) = hash(path, descriptor.digest.algorithm(), descriptor.size)?;
    Ok(size == descriptor.size && digest == descriptor.digest)
}

fn hash(path: &Path, algorithm: Algorithm, expected: u64) -> Result<(Digest, u64), PackError> {
    let mut file = File::open(path).map_err(PackError::io(path))?;
    let mut hasher = Hasher::new(algorithm);
    // One more, so that a small file is read in one call and its end is seen in the next.
    let mut buffer = vec![0; usize::try_from(expected).map_or(PIECE, |size| size.saturating_add(1).min(PIECE))];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer).map_err(PackError::io(path))?;
        if count == 0 {
            return Ok((hasher.finish(), size));
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
        size += count as u64;
    }
}

/// Whether two files hold the same bytes.
pub(super) fn same_files(one: &Path, other: &Path) -> Result<bool, PackError> {
    let length = |path: &Path| fs::metadata(path).map(|metadata| metadata.len()).map_err(PackError::io(path));
    if length(one)? != length(other)? {
        return Ok(false);
    }
    let mut file = File::open(one).map_err(PackError::io(one))?;
    holds(other, |buffer| file.read(buffer).map_err(PackError::io(one)))
}

/// Whether a file holds exactly what `read` gives until it gives nothing.
pub(super) fn holds(
    path: &Path,
    mut read: impl FnMut(&mut [u8]) -> Result<usize, PackError>,
) -> Result<bool, PackError> {
    let mut file = File::open(path).map_err(PackError::io(path))?;
    let (mut wanted, mut found) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let count = read(&mut wanted)?;
        if count == 0 {
            return Ok(file.read(&mut found).map_err(PackError::io(path))? == 0);
        }
        let found = found.get_mut(..count).unwrap_or_default();
        match file.read_exact(found) {
            Ok(()) if wanted.starts_with(found) => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(PackError::io(path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_descriptor_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "hello").unwrap();
        let descriptor = describe_file(&path, "text/plain").unwrap();
        assert_eq!(descriptor, Descriptor::of("text/plain", b"hello"));
        assert!(verify_file(&path, &descriptor).unwrap());
        fs::write(&path, "hullo").unwrap();
        assert!(!verify_file(&path, &descriptor).unwrap());
        fs::write(&path, "hello!").unwrap();
        assert!(!verify_file(&path, &descriptor).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!verify_file(&path, &descriptor).unwrap());
        assert!(matches!(describe_file(&path, "a/b"), Err(PackError::NotFound { .. })));
        assert!(matches!(describe_file(folder.path(), "a/b"), Err(PackError::NotAFile { .. })));
    }
}
