use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use globset::GlobMatcher;

use super::{Access, Aliases, Effects, Thing};
use crate::{
    oci::{Reference, Repository},
    pack::DigestCache,
    plan::FetchedPlans,
};

/// Where the local paths of a plan lead: what is read starts at the plan's folder, what is written at the work folder.
#[derive(Debug, Clone)]
pub struct Places {
    /// Absolute.
    pub plan_folder: PathBuf,
    /// Absolute.
    pub workdir: PathBuf,
    /// Other names of registries.
    pub aliases: Aliases,
    /// What the steps above write under the work folder, absolute.
    written: Arc<Vec<PathBuf>>,
    /// How many of these are written by steps above the one that asks.
    visible: usize,
    /// What may be written outside of the work folder, as absolute paths.
    pub outside: Arc<[GlobMatcher]>,
    /// The programs that may run where nobody could tell before the run which ones would: those that every list has.
    pub programs: Vec<Arc<[GlobMatcher]>>,
    /// The plans of registries that are on this machine.
    pub plans: Arc<FetchedPlans>,
    /// What is known of the files there; nothing unless somebody says otherwise.
    pub digests: Arc<DigestCache>,
}

/// Why a path cannot be written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// It leads out of the work folder.
    #[error("`{path}` leads out of the work folder {}: write below it, choose another with --workdir, or allow it: `allow: {{ write: [\"file:…\"] }}`", workdir.display())]
    Outside {
        /// As written.
        path: String,
        /// Absolute.
        workdir: PathBuf,
    },
}

impl Places {
    /// Where paths lead from these two folders, both absolute.
    pub fn new(plan_folder: impl Into<PathBuf>, workdir: impl Into<PathBuf>) -> Self {
        Self {
            plan_folder: plan_folder.into(),
            workdir: workdir.into(),
            aliases: Aliases::default(),
            outside: Arc::default(),
            programs: Vec::new(),
            plans: Arc::default(),
            digests: Arc::default(),
            written: Arc::default(),
            visible: 0,
        }
    }

    /// Says that a step writes these; the steps below see them.
    pub fn add_written(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        let is_below = |path: &PathBuf| path.starts_with(&self.workdir) && self.workdir != self.plan_folder;
        Arc::make_mut(&mut self.written).extend(paths.into_iter().filter(is_below));
        self.visible = self.written.len();
    }

    /// The same for a plan whose paths to read are relative to another folder, where there is one.
    #[must_use]
    pub fn from(&self, plan_folder: Option<&Path>) -> Self {
        let mut places = self.clone();
        places.read_from(plan_folder);
        places
    }

    /// From now on, paths to read are relative to another folder, where there is one.
    pub fn read_from(&mut self, plan_folder: Option<&Path>) {
        if let Some(folder) = plan_folder {
            self.plan_folder = folder.to_path_buf();
        }
    }

    /// How many written paths are seen from here, for [`Places::seeing`].
    pub const fn seen(&self) -> usize {
        self.visible
    }

    /// The same, as a step sees it above which so many paths are written.
    pub fn seeing(&self, written: usize) -> Self {
        Self { visible: written, ..self.clone() }
    }

    /// The file or folder to read, absolute, without `.` and `..`: where a step above wrote it, otherwise from the plan's
    /// folder.
    pub fn source(&self, path: &str) -> PathBuf {
        normalize(&self.source_root(path).join(path))
    }

    /// The folder that a path or glob to read is relative to: the work folder where a step above wrote it, otherwise the
    /// plan's folder.
    pub fn source_root(&self, pattern: &str) -> &Path {
        let written = self.work(literal(pattern));
        let is_written = self.written.iter().take(self.visible).any(|it| written.starts_with(it));
        if is_written { &self.workdir } else { &self.plan_folder }
    }

    /// The file or folder under the work folder, absolute, without `.` and `..`; it may lead out of it.
    pub fn work(&self, path: &str) -> PathBuf {
        normalize(&self.workdir.join(path))
    }

    /// What a path or glob reads: of a glob, the folder before its first special character.
    pub fn read_thing(&self, pattern: &str) -> Thing {
        Thing::path(&normalize(&self.source_root(pattern).join(literal(pattern))))
    }

    /// The file or folder to write, absolute; it stays under the work folder.
    pub fn target(&self, path: &str) -> Result<PathBuf, PlaceError> {
        let target = self.in_workdir(path);
        if self.may_write(&target) {
            Ok(target)
        } else {
            Err(PlaceError::Outside { path: path.to_owned(), workdir: self.workdir.clone() })
        }
    }

    /// The place that a path below the work folder, or out of it, stands for: absolute, without `.` and `..`.
    pub fn in_workdir(&self, path: &str) -> PathBuf {
        normalize(&self.workdir.join(path))
    }

    /// Whether something may be written there: under the work folder, or where the plan says so.
    fn may_write(&self, target: &Path) -> bool {
        target.starts_with(normalize(&self.workdir)) || self.outside.iter().any(|glob| glob.is_match(target))
    }

    /// The image layout that such a step would write where nothing may be written.
    pub fn leaves_workdir(&self, effects: &Effects) -> Option<String> {
        let written = effects.touches().iter().filter(|(access, _)| *access != Access::Read);
        let mut stores = written.filter_map(|(_, thing)| thing.in_layout().or_else(|| thing.in_archive()));
        stores.find(|path| !self.may_write(path)).map(|path| path.display().to_string())
    }

    /// The same repository; under the name of the registry behind an alias, the path of an image layout made absolute.
    pub fn repository(&self, repository: &Repository) -> Repository {
        match repository {
            Repository::Registry { .. } => self.aliases.behind(repository),
            Repository::Layout(path) | Repository::Archive { path, .. } => {
                repository.at(normalize(&self.workdir.join(path)))
            }
        }
    }

    /// The same repository, the path of an image layout as it is written in a plan, where it is under the work folder.
    pub fn shown(&self, repository: &Repository) -> Repository {
        match repository {
            Repository::Layout(path) | Repository::Archive { path, .. } => {
                repository.at(path.strip_prefix(normalize(&self.workdir)).unwrap_or(path).to_path_buf())
            }
            Repository::Registry { .. } => repository.clone(),
        }
    }

    /// The same reference, its repository as [`Places::repository`] has it.
    pub fn reference(&self, reference: &Reference) -> Reference {
        Reference { repository: self.repository(&reference.repository), ..reference.clone() }
    }
}

/// Of a glob the folder before its first special character, any other path as it is.
fn literal(pattern: &str) -> &str {
    match pattern.find(['*', '?', '[', '{']) {
        Some(special) => {
            pattern.get(..special).and_then(|plain| plain.rsplit_once('/')).map_or("", |(folder, _)| folder)
        }
        None => pattern,
    }
}

/// Takes out `.` and `..` as they are written: the file need not exist.
fn normalize(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_stays_under_the_work_folder() {
        let places = Places::new("/plans", "/there");
        assert_eq!(places.source("../x/./y"), Path::new("/x/y"));
        assert_eq!(places.target("a/../b"), Ok(PathBuf::from("/there/b")));
        assert!(places.target("../x").is_err());
        assert!(places.target("/etc").is_err());
        assert!(places.target("a/../../workshop").is_err());
    }

    #[test]
    fn what_a_step_above_wrote_is_found_where_it_was_written() {
        let mut places = Places::new("/plans", "/there");
        places.add_written([PathBuf::from("/there/dist"), PathBuf::from("/elsewhere/x")]);
        places.add_written([PathBuf::from("/there/sbom.json")]);
        assert_eq!(places.source("dist/a"), Path::new("/there/dist/a"));
        assert_eq!(places.source("./sbom.json"), Path::new("/there/sbom.json"));
        assert_eq!(places.source("distance"), Path::new("/plans/distance"));
        assert_eq!(places.source("../elsewhere/x"), Path::new("/elsewhere/x"));
        assert_eq!(places.read_thing("dist/*.json"), Thing::path(Path::new("/there/dist")));
        assert_eq!(places.source_root("*.json"), Path::new("/plans"));
        // A step sees only what is written above it.
        let above = places.seeing(1);
        assert_eq!(
            (above.source("sbom.json"), above.source("dist")),
            ("/plans/sbom.json".into(), "/there/dist".into())
        );
        assert_eq!(places.seen(), 2);
    }
}
