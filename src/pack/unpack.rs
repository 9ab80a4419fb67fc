use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

use super::{
    Compression, EntryFault, Limits, PackError,
    archive_reader::{ArchiveReader, Member, MemberKind},
    check_title, link,
    title::relative,
    tree::Tree,
};
use crate::oci::{Algorithm, Digest};

/// How an archive is unpacked.
#[derive(Debug, Clone, Default)]
pub struct UnpackOptions {
    /// The title of a layer that oras made: every entry must lie in the directory of that name, which is left out of
    /// the paths that are written.
    pub strip_title: Option<String>,
    /// The digest that the uncompressed archive must have.
    pub expected: Option<Digest>,
    /// When to give up.
    pub limits: Limits,
}

/// What came out of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// Files and links, relative to the directory, in the order of the archive.
    pub files: Vec<PathBuf>,
    /// The names of FIFOs and devices, which are left out as oras leaves them out.
    pub skipped: Vec<String>,
    /// The digest of the uncompressed archive, all of it: what is behind its end counts.
    pub diff_id: Digest,
    /// The length of the uncompressed archive in bytes.
    pub size: u64,
}

/// Unpacks an archive into a directory that is there, and that is best thrown away if this fails.
///
/// Files, directories, symbolic links that stay inside, and hard links to files that came before (named from the root
/// of the archive, as tar has it) come out. An absolute name, a `..`, a symbolic link in the path of an entry, and a
/// second entry of one name are errors. Of modes, the bits of `0755` are kept, minus the umask; owners and times are not.
pub fn unpack(
    reader: impl Read,
    compression: Compression,
    directory: &Path,
    options: &UnpackOptions,
) -> Result<Unpacked, PackError> {
    let title = options.strip_title.as_deref().map(check_title).transpose()?;
    let title = title.as_deref();
    let algorithm = options.expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
    let mut archive = ArchiveReader::new(reader, compression, options.limits, algorithm)?;
    let mut tree = Tree::new(directory);
    let mut buffer = vec![0; 256 * 1024];
    let (mut files, mut skipped) = (Vec::new(), Vec::new());
    while let Some(Member { name, kind }) = archive.next()? {
        let path = place(&name, title).map_err(PackError::entry(&name))?;
        match kind {
            MemberKind::Device => {
                skipped.push(name);
                continue;
            }
            MemberKind::Directory { mode } => {
                tree.directory(&path, mode).map_err(|fail| fail.of(&name))?;
                continue;
            }
            MemberKind::File { mode, .. } => {
                let mut file = tree.file(&path, mode).map_err(|fail| fail.of(&name))?;
                loop {
                    let count = archive.read(&mut buffer)?;
                    if count == 0 {
                        break;
                    }
                    let piece = buffer.get(..count).unwrap_or_default();
                    file.write_all(piece).map_err(PackError::io(tree.full(&path)))?;
                }
            }
            MemberKind::Symlink { target } => {
                check_link(&path, &target).map_err(PackError::entry(&name))?;
                tree.symlink(&path, &target).map_err(|fail| fail.of(&name))?;
            }
            MemberKind::HardLink { target } => {
                let target = place_target(target, title).map_err(PackError::entry(&name))?;
                tree.hard_link(&path, &target).map_err(|fail| fail.of(&name))?;
            }
        }
        files.push(path);
    }
    let (diff_id, size) = archive.finish()?;
    match &options.expected {
        Some(expected) if *expected != diff_id => {
            Err(PackError::Digest { expected: expected.clone(), actual: diff_id })
        }
        _ => Ok(Unpacked { files, skipped, diff_id, size }),
    }
}

/// Where an entry goes, relative to the directory.
pub(super) fn place(name: &str, title: Option<&Path>) -> Result<PathBuf, EntryFault> {
    let path = relative(name)?;
    match title {
        None => Ok(path),
        Some(title) => match path.strip_prefix(title) {
            Ok(rest) => Ok(rest.to_owned()),
            Err(_) => Err(EntryFault::OutsideTitle { title: title.display().to_string() }),
        },
    }
}

/// What a hard link links to, relative to the directory.
pub(super) fn place_target(target: String, title: Option<&Path>) -> Result<PathBuf, EntryFault> {
    place(&target, title).map_err(|_| EntryFault::LinkOutside { target })
}

/// Whether a symbolic link may be made.
pub(super) fn check_link(path: &Path, target: &str) -> Result<(), EntryFault> {
    let depth = path.components().count().saturating_sub(1);
    if link::stays_inside(depth, target) { Ok(()) } else { Err(EntryFault::LinkOutside { target: target.to_owned() }) }
}
