use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{PackError, check_title, file::same_files, mode};

/// A hidden folder on the same file system as `target`, where files are made before they are moved to where they
/// belong. Dropped without [`Staging::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Staging {
    folder: TempDir,
    target: PathBuf,
    files: BTreeSet<PathBuf>,
    directories: BTreeSet<PathBuf>,
}

/// What happens to a file that is there already, with other content. One with the same content always stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Nothing is moved, and the error names it.
    Fail,
    /// It is replaced.
    Replace,
    /// It stays.
    Keep,
}

/// How many files and links were placed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Placement {
    /// Files that were not there, directories not counted.
    pub created: usize,
    /// Files that had other content.
    pub replaced: usize,
    /// Files that have other content, and were kept.
    pub kept: usize,
    /// Files that had this content.
    pub unchanged: usize,
}

impl Staging {
    /// For files that go into `target`, which need not exist.
    pub fn new(target: &Path) -> Result<Self, PackError> {
        let current = Path::new(".");
        // What does not exist will be made where its nearest ancestor is.
        let mut ancestors = target.ancestors().map(|path| if path.as_os_str().is_empty() { current } else { path });
        let anchor = ancestors.find(|path| path.exists()).unwrap_or(current);
        if !anchor.is_dir() {
            return Err(PackError::NotADirectory { path: anchor.to_owned() });
        }
        let folder = tempfile::Builder::new().prefix(".consign-").tempdir_in(anchor).map_err(PackError::io(anchor))?;
        let staging = Self { folder, target: target.to_owned(), files: BTreeSet::new(), directories: BTreeSet::new() };
        fs::create_dir(staging.tree()).map_err(PackError::io(staging.tree()))?;
        Ok(staging)
    }

    /// Where to write the file of that title. The file does not exist, the folders above it do.
    pub fn file(&mut self, title: &str) -> Result<PathBuf, PackError> {
        let path = self.claim(title)?;
        let full = self.tree().join(&path);
        if full.is_dir() {
            return Err(PackError::DuplicateTitle { title: title.to_owned() });
        }
        self.make_folder(full.parent())?;
        self.files.insert(path);
        Ok(full)
    }

    /// The directory of that title, which exists, to unpack a layer into.
    pub fn directory(&mut self, title: &str) -> Result<PathBuf, PackError> {
        let path = self.claim(title)?;
        let full = self.tree().join(&path);
        self.make_folder(Some(&full))?;
        self.directories.insert(path);
        Ok(full)
    }

    /// Moves everything to where it belongs. What cannot be moved, and what is there already where that is an error,
    /// is found before anything is moved.
    pub fn commit(self, existing: Existing) -> Result<Placement, PackError> {
        let mut moves = Vec::new();
        let mut placement = Placement::default();
        let root = self.tree();
        match fs::metadata(&self.target) {
            Ok(metadata) if !metadata.is_dir() => return Err(PackError::InTheWay { path: self.target.clone() }),
            _ => {}
        }
        collect(&root, &self.target, existing, &mut moves, &mut placement)?;
        self.make_folder(Some(&self.target))?;
        for (staged, place) in moves {
            fs::rename(&staged, &place).map_err(PackError::io(&place))?;
        }
        Ok(placement)
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// Takes a title that no other layer has, and that is not below the file of another one.
    fn claim(&self, title: &str) -> Result<PathBuf, PackError> {
        let path = check_title(title)?;
        if self.directories.contains(&path) || path.ancestors().any(|above| self.files.contains(above)) {
            return Err(PackError::DuplicateTitle { title: title.to_owned() });
        }
        Ok(path)
    }

    fn make_folder(&self, folder: Option<&Path>) -> Result<(), PackError> {
        let folder = folder.unwrap_or(&self.target);
        fs::create_dir_all(folder).map_err(PackError::io(folder))
    }
}

/// Finds what is to be moved where: a directory as a whole where there is none, otherwise what is in it.
fn collect(
    staged: &Path,
    place: &Path,
    existing: Existing,
    moves: &mut Vec<(PathBuf, PathBuf)>,
    placement: &mut Placement,
) -> Result<(), PackError> {
    for entry in fs::read_dir(staged).map_err(PackError::io(staged))? {
        let entry = entry.map_err(PackError::io(staged))?;
        let is_directory = entry.file_type().map_err(PackError::io(entry.path()))?.is_dir();
        let (from, to) = (entry.path(), place.join(entry.file_name()));
        let found = match fs::symlink_metadata(&to) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(PackError::io(to)(error)),
        };
        match found {
            None => {
                placement.created += if is_directory { count(&from)? } else { 1 };
                moves.push((from, to));
            }
            Some(found) if found.is_dir() != is_directory => return Err(PackError::InTheWay { path: to }),
            Some(_) if is_directory => collect(&from, &to, existing, moves, placement)?,
            Some(_) if is_same(&from, &to)? => placement.unchanged += 1,
            Some(_) => match existing {
                Existing::Fail => return Err(PackError::Exists { path: to }),
                Existing::Keep => placement.kept += 1,
                Existing::Replace => {
                    placement.replaced += 1;
                    moves.push((from, to));
                }
            },
        }
    }
    Ok(())
}

/// The files and links in a directory.
fn count(directory: &Path) -> Result<usize, PackError> {
    walkdir::WalkDir::new(directory).into_iter().try_fold(0, |count, entry| {
        let entry = entry.map_err(|error| {
            PackError::io(directory)(error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into()))
        })?;
        Ok(count + usize::from(!entry.file_type().is_dir()))
    })
}

/// Whether two files or links are alike, their executable bit included.
fn is_same(one: &Path, other: &Path) -> Result<bool, PackError> {
    let look = |path| fs::symlink_metadata(path).map_err(PackError::io(path));
    let (first, second) = (look(one)?, look(other)?);
    if first.is_symlink() && second.is_symlink() {
        let read = |path| fs::read_link(path).map_err(PackError::io(path));
        return Ok(read(one)? == read(other)?);
    }
    let is_alike = first.is_file() && second.is_file() && mode::is_executable(&first) == mode::is_executable(&second);
    Ok(is_alike && same_files(one, other)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = walkdir::WalkDir::new(folder)
            .min_depth(1)
            .into_iter()
            .map(|entry| entry.unwrap().path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    fn staged(target: &Path) -> Staging {
        let mut staging = Staging::new(target).unwrap();
        fs::write(staging.file("a.txt").unwrap(), "new").unwrap();
        fs::write(staging.file("docs/b.txt").unwrap(), "b").unwrap();
        fs::write(staging.directory("details").unwrap().join("c.txt"), "c").unwrap();
        staging
    }

    #[test]
    fn everything_or_nothing_is_placed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("not/there/yet");
        drop(staged(&target));
        assert_eq!(listing(folder.path()), Vec::<String>::new());
        let placement = staged(&target).commit(Existing::Fail).unwrap();
        assert_eq!(placement, Placement { created: 3, ..Placement::default() });
        assert_eq!(listing(&target), ["a.txt", "details", "details/c.txt", "docs", "docs/b.txt"]);
        assert_eq!(listing(folder.path()).len(), 8);
    }

    #[test]
    fn what_exists_is_treated_as_asked() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("in");
        fs::create_dir_all(target.join("details")).unwrap();
        fs::write(target.join("a.txt"), "old").unwrap();
        fs::write(target.join("details/c.txt"), "c").unwrap();
        fs::write(target.join("details/mine"), "").unwrap();

        let error = staged(&target).commit(Existing::Fail).unwrap_err();
        assert!(matches!(error, PackError::Exists { path } if path == target.join("a.txt")));
        assert_eq!(listing(&target), ["a.txt", "details", "details/c.txt", "details/mine"]);

        let placement = staged(&target).commit(Existing::Keep).unwrap();
        assert_eq!(placement, Placement { created: 1, kept: 1, unchanged: 1, ..Placement::default() });
        assert_eq!(fs::read_to_string(target.join("a.txt")).unwrap(), "old");

        let placement = staged(&target).commit(Existing::Replace).unwrap();
        assert_eq!(placement, Placement { replaced: 1, unchanged: 2, ..Placement::default() });
        assert_eq!(fs::read_to_string(target.join("a.txt")).unwrap(), "new");
        assert!(target.join("details/mine").exists());

        let placement = staged(&target).commit(Existing::Fail).unwrap();
        assert_eq!(placement, Placement { unchanged: 3, ..Placement::default() });
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_placed_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("in");
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir_all(&target).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, target.join("docs")).unwrap();
        for existing in [Existing::Fail, Existing::Keep, Existing::Replace] {
            let error = staged(&target).commit(existing).unwrap_err();
            assert!(matches!(error, PackError::InTheWay { path } if path == target.join("docs")));
        }
        assert_eq!(listing(&elsewhere), Vec::<String>::new());
        assert_eq!(listing(&target), ["docs"]);

        // A link where a file goes is replaced, not followed.
        fs::remove_file(target.join("docs")).unwrap();
        fs::write(elsewhere.join("a.txt"), "theirs").unwrap();
        std::os::unix::fs::symlink(elsewhere.join("a.txt"), target.join("a.txt")).unwrap();
        staged(&target).commit(Existing::Replace).unwrap();
        assert_eq!(fs::read_to_string(elsewhere.join("a.txt")).unwrap(), "theirs");
        assert_eq!(fs::read_to_string(target.join("a.txt")).unwrap(), "new");
    }

    #[test]
    fn titles_differ() {
        let folder = tempfile::tempdir().unwrap();
        let mut staging = staged(&folder.path().join("in"));
        for title in ["a.txt", "./a.txt", "details", "docs", "a.txt/b"] {
            assert!(matches!(staging.file(title), Err(PackError::DuplicateTitle { .. })), "{title}");
        }
        assert!(matches!(staging.directory("a.txt"), Err(PackError::DuplicateTitle { .. })));
        assert!(matches!(staging.directory("details"), Err(PackError::DuplicateTitle { .. })));
        assert!(matches!(staging.file("../x"), Err(PackError::Title { .. })));
        staging.directory("docs").unwrap();
        staging.file("details/d.txt").unwrap();
    }
}
