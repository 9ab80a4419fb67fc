use std::path::{Component, Path, PathBuf};

use super::PackError;

/// Why a text is no safe relative path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Nothing is named.
    #[error("it names nothing")]
    Empty,
    /// It begins at the root of a file system.
    #[error("it is absolute")]
    Absolute,
    /// It may leave the directory.
    #[error("it has a `..`")]
    Parent,
    /// No file system takes it.
    #[error("it has a NUL byte")]
    Nul,
    /// It means different things on different systems.
    #[error("it has a backslash")]
    Backslash,
    /// It names a drive or a device.
    #[error("it has a part that this system does not take as a name")]
    NoName,
}

/// A title annotation as the relative path that it names, without `.` and doubled slashes.
pub fn check_title(title: &str) -> Result<PathBuf, PackError> {
    let fail = |fault| PackError::Title { title: title.to_owned(), fault };
    if title.contains('\\') {
        return Err(fail(PathFault::Backslash));
    }
    let path = relative(title).map_err(fail)?;
    if path.as_os_str().is_empty() { Err(fail(PathFault::Empty)) } else { Ok(path) }
}

/// A name with `/` between its parts as a path that cannot leave its directory. Empty where it names the directory.
pub(super) fn relative(name: &str) -> Result<PathBuf, PathFault> {
    if name.is_empty() {
        return Err(PathFault::Empty);
    }
    if name.contains('\0') {
        return Err(PathFault::Nul);
    }
    if name.starts_with('/') {
        return Err(PathFault::Absolute);
    }
    let mut path = PathBuf::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(PathFault::Parent),
            _ if is_name(part) => path.push(part),
            _ => return Err(PathFault::NoName),
        }
    }
    Ok(path)
}

/// Whether the system takes this as one name: on Windows `C:` and `a\b` are more than that.
pub(super) fn is_name(part: &str) -> bool {
    let mut components = Path::new(part).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(name)), None) if name == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_stays_where_it_is_put() {
        for (title, path) in [("a", "a"), ("a/b.txt", "a/b.txt"), ("./a//b/", "a/b"), ("...", "..."), ("a b", "a b")] {
            assert_eq!(check_title(title).unwrap(), Path::new(path), "{title}");
        }
        for (title, fault) in [
            ("", PathFault::Empty),
            (".", PathFault::Empty),
            ("./", PathFault::Empty),
            ("/etc/passwd", PathFault::Absolute),
            ("..", PathFault::Parent),
            ("a/../../b", PathFault::Parent),
            ("a/..", PathFault::Parent),
            ("a\0b", PathFault::Nul),
            ("..\\a", PathFault::Backslash),
        ] {
            let error = check_title(title).unwrap_err();
            assert!(matches!(error, PackError::Title { fault: found, .. } if found == fault), "{title}: {error}");
        }
    }
}
