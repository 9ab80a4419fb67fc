use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use crate::{
    oci::Reference,
    plan::{Diagnostic, FetchedPlans, yaml::MAX_BYTES},
};

/// A plan that is included, in a file.
pub(super) struct PlanFile {
    path: PathBuf,
    /// What stands in it, where that is known already.
    text: Option<String>,
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
            text: None,
        })
    }

    /// The plan that `reference` names, as it was fetched. It has no files beside it.
    pub(super) fn fetched(reference: &Reference, plans: &FetchedPlans) -> Result<Self, Diagnostic> {
        let (digest, text) = plans.find(reference)?;
        Ok(Self {
            path: PathBuf::new(),
            text: Some(text),
            identity: digest.to_string().into(),
            name: reference.to_string(),
            folder: plans.folder(),
            shown_folder: plans.folder(),
        })
    }

    /// What stands in it.
    pub(super) fn read(&self) -> Result<String, Diagnostic> {
        if let Some(text) = &self.text {
            return Ok(text.clone());
        }
        let mut bytes = Vec::new();
        // One byte more says that it is too large.
        let read = File::open(&self.path).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
        read.map_err(|error| Diagnostic::new(format!("`{}` cannot be read: {error}", self.name)))?;
        String::from_utf8(bytes)
            .map_err(|_| Diagnostic::new(format!("`{}` is not UTF-8", self.name)).help("save the file as UTF-8"))
    }
}

/// What tells a file from others, however it is named.
pub(super) fn identity(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}
