//! The one bit of a file's mode that layers keep, and the calls that only Unix has.

use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io,
    path::Path,
};

/// The mode that an archive gives a file or directory: what umasks and checkouts do to the other bits is no content.
pub(super) const fn normal(executable: bool) -> u32 {
    if executable { 0o755 } else { 0o644 }
}

/// Whether anyone may execute the file.
#[cfg(unix)]
pub(super) fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

/// Whether anyone may execute the file: not told here.
#[cfg(not(unix))]
pub(super) fn is_executable(_metadata: &Metadata) -> bool {
    false
}

/// Creates a file that does not exist, its owner may read and write it. Nothing is followed, no special bit is set,
/// nobody but the owner may write.
pub(super) fn create(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode & 0o755 | 0o600);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}

/// Creates a directory that does not exist and that its owner may use.
pub(super) fn create_directory(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode & 0o755 | 0o700);
    #[cfg(not(unix))]
    let _ = mode;
    builder.create(path)
}

/// Creates a symbolic link.
#[cfg(unix)]
pub(super) fn symlink(target: &str, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

/// Creates a symbolic link: not done here, since the system asks whether it leads to a directory.
#[cfg(not(unix))]
pub(super) fn symlink(_target: &str, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
