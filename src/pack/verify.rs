use std::{fs, io::Read, path::Path};

use super::{
    Compression, Limits, PackError,
    archive_reader::{ArchiveReader, Member, MemberKind},
    check_title,
    file::{holds, same_files},
    mode,
    read_ahead::ReadAhead,
    tree::Tree,
    unpack::{place, place_target},
};
use crate::oci::Algorithm;

/// Whether everything in an archive is in the directory already: same names, types, contents, link targets and
/// executable bits. What else is there does not count. `title` is what
/// [`UnpackOptions::strip_title`](super::UnpackOptions::strip_title) would be.
///
/// Stops at the first difference. Entries that [`unpack`](super::unpack) would refuse for their names are errors.
pub fn verify_unpacked(
    reader: impl Read + Send,
    compression: Compression,
    directory: &Path,
    title: Option<&str>,
) -> Result<bool, PackError> {
    let title = title.map(check_title).transpose()?;
    ReadAhead::over(reader, compression, Algorithm::Sha256, |ahead| {
        is_in(ArchiveReader::new(ahead, Limits::default()), directory, title.as_deref())
    })
}

fn is_in(mut archive: ArchiveReader, directory: &Path, title: Option<&Path>) -> Result<bool, PackError> {
    let mut tree = Tree::new(directory);
    while let Some(Member { name, kind }) = archive.next()? {
        let path = place(&name, title).map_err(PackError::entry(&name))?;
        let found = tree.find(&path).map_err(|fail| fail.of(&name))?;
        let is_same = match (kind, found) {
            (MemberKind::Device, _) => true,
            (_, None) => false,
            (MemberKind::Directory { .. }, Some(found)) => found.is_dir(),
            (MemberKind::File { size, mode }, Some(found)) => {
                found.is_file()
                    && found.len() == size
                    && (cfg!(not(unix)) || mode::is_executable(&found) == (mode & 0o111 != 0))
                    && holds(&tree.full(&path), |buffer| archive.read(buffer))?
            }
            (MemberKind::Symlink { target }, Some(found)) => {
                let full = tree.full(&path);
                found.is_symlink() && fs::read_link(&full).map_err(PackError::io(full))? == Path::new(&target)
            }
            (MemberKind::HardLink { target }, Some(found)) => {
                let target = place_target(target, title).map_err(PackError::entry(&name))?;
                let original = tree.find(&target).map_err(|fail| fail.of(&name))?;
                found.is_file()
                    && original.is_some_and(|original| original.is_file())
                    && same_files(&tree.full(&path), &tree.full(&target))?
            }
        };
        if !is_same {
            return Ok(false);
        }
    }
    Ok(true)
}
