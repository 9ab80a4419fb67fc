use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use crate::plan::Diagnostic;

/// No plan is larger, in bytes.
const LARGEST: u64 = 8 << 20;

/// A plan that is included, in a file.
pub(super) struct PlanFile {
    path: PathBuf,
    /// What tells it from other plans.
    pub(super) identity: PathBuf,
    /// What people call it.
    pub(super) name: String,
    /// What its paths are relative to, absolute.
    pub(super) folder: PathBuf,
    /// The same as people are shown it.
    pub(super) shown_folder: PathBuf,
}

impl PlanFile {
    /// The plan that is named in a plan in `folder`, which people know as `shown`.
    pub(super) fn find(named: &str, folder: &Path, shown: &Path) -> Result<Self, Diagnostic> {
        let (path, shown) = (folder.join(named), shown.join(named));
        let relative = format!("paths are relative to the plan's folder, {}", folder.display());
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(Diagnostic::new(format!("`{named}` is no file")).help("name the plan in it")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Diagnostic::new(format!("file not found: `{named}`")).note(relative));
            }
            Err(error) => return Err(Diagnostic::new(format!("`{named}` cannot be read: {error}")).note(relative)),
        }
        let parent = |path: &Path| path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self {
            identity: identity(&path),
            name: shown.display().to_string(),
            folder: parent(&path),
            shown_folder: parent(&shown),
            path,
        })
    }

    /// What stands in it.
    pub(super) fn read(&self) -> Result<String, Diagnostic> {
        let mut bytes = Vec::new();
        // One byte more says that it is too large.
        let read = File::open(&self.path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
        read.map_err(|error| Diagnostic::new(format!("`{}` cannot be read: {error}", self.name)))?;
        String::from_utf8(bytes)
            .map_err(|_| Diagnostic::new(format!("`{}` is not UTF-8", self.name)).help("save the file as UTF-8"))
    }
}

/// What tells a file from others, however it is named.
pub(super) fn identity(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}
