use std::{fs, io, path::Path};

use walkdir::WalkDir;

use super::{PackError, link};

/// What is found in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A folder; what is in it follows.
    Folder,
    /// A symbolic link, and where it leads: not out of the folder that is walked.
    Link(&'a str),
    /// A file.
    File,
}

/// Tells of everything in a folder in the order of the names, each with its path and its name below the folder, with `/`
/// between the parts of that.
pub(super) fn walk(
    directory: &Path,
    mut each: impl FnMut(&Path, &str, Found<'_>) -> Result<(), PackError>,
) -> Result<(), PackError> {
    if !fs::metadata(directory).map_err(PackError::io(directory))?.is_dir() {
        return Err(PackError::NotADirectory { path: directory.to_owned() });
    }
    for entry in WalkDir::new(directory).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(directory).to_owned();
            PackError::io(path)(error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into()))
        })?;
        let path = entry.path();
        let name = relative_name(directory, path)?;
        let kind = entry.file_type();
        if kind.is_dir() {
            each(path, &name, Found::Folder)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(path).map_err(PackError::io(path))?;
            let depth = entry.depth().saturating_sub(1);
            match target.to_str().filter(|target| link::stays_inside(depth, target)) {
                Some(target) => each(path, &name, Found::Link(target))?,
                None => return Err(PackError::LinkOutside { path: path.to_owned(), target }),
            }
        } else if kind.is_file() {
            each(path, &name, Found::File)?;
        } else {
            return Err(PackError::FileType { path: path.to_owned() });
        }
    }
    Ok(())
}

/// The path below `directory`, with `/` between its parts.
fn relative_name(directory: &Path, path: &Path) -> Result<String, PackError> {
    let mut name = String::new();
    for part in path.strip_prefix(directory).unwrap_or(path) {
        let part = part.to_str().ok_or_else(|| PackError::NotUnicode { path: path.to_owned() })?;
        if !name.is_empty() {
            name.push('/');
        }
        name.push_str(part);
    }
    Ok(name)
}
