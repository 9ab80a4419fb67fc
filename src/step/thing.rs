use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use super::Sort;
use crate::oci::{ArchiveForm, RegistryName, Repository, Tag};

/// Something outside that steps read and change: a path in a tree of which every node is a thing.
///
/// Two things overlap when one is the other or contains it. A repository contains its tags, its tag list and its
/// graph; a folder contains its files; the root contains everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thing(Vec<Arc<str>>);

const REGISTRY: &str = "registry";
const LAYOUT: &str = "layout";
const FILE: &str = "file";
const TAG: &str = "tag";
const GRAPH: &str = "graph";
const PUSHED: &str = "pushed manifests";
const TAG_LIST: &str = "tag list";

/// The form of archives that is called so.
fn archive(name: &str) -> Option<ArchiveForm> {
    [ArchiveForm::Oci, ArchiveForm::Docker].into_iter().find(|form| form.name() == name)
}

/// The words above, each made once: checking a large plan makes hundreds of thousands of things.
static WORDS: LazyLock<[Arc<str>; 7]> =
    LazyLock::new(|| [REGISTRY, LAYOUT, FILE, TAG, GRAPH, PUSHED, TAG_LIST].map(Arc::from));

/// A part that is one of the words, or any other.
fn part(text: &str) -> Arc<str> {
    WORDS.iter().find(|word| ***word == *text).map_or_else(|| text.into(), Arc::clone)
}

impl Thing {
    /// Everything there is.
    pub const fn everything() -> Self {
        Self(Vec::new())
    }

    /// Everything in every registry and layout that is not known by name.
    pub fn every_repository() -> Self {
        Self(vec![part(REGISTRY)])
    }

    /// A registry with all its repositories.
    pub fn registry(registry: &RegistryName) -> Self {
        Self(vec![part(REGISTRY), host(registry)])
    }

    /// A repository with all that is in it.
    pub fn repository(repository: &Repository) -> Self {
        // With room for what may follow.
        let mut parts = Vec::with_capacity(5);
        parts.push(part(REGISTRY));
        match repository {
            Repository::Registry { registry, name } => parts.extend([host(registry), name.as_str().into()]),
            // A layout stands below the registries, so that an unknown repository may be a layout too.
            Repository::Layout(path) => parts.extend([part(LAYOUT), path.to_string_lossy().into()]),
            // One file under two names is one path, which who reads and writes archives touches too.
            Repository::Archive { form, path } => parts.extend([form.name().into(), path.to_string_lossy().into()]),
        }
        Self(parts)
    }

    /// A tag.
    pub fn tag(repository: &Repository, tag: &Tag) -> Self {
        Self::repository(repository).child(TAG).child(tag.as_str())
    }

    /// The tags `sha256-….sig` of a repository, as one: which of them it is follows from a digest.
    pub fn signature_tags(repository: &Repository) -> Self {
        Self::repository(repository).child(TAG).child("sha256-….sig")
    }

    /// All tags of a repository: which ones is not known before the run.
    pub fn tags(repository: &Repository) -> Self {
        Self::repository(repository).child(TAG)
    }

    /// The manifests of a repository and their referrers, as a whole: two tags or digests may name one manifest.
    pub fn graph(repository: &Repository) -> Self {
        Self::repository(repository).child(GRAPH)
    }

    /// The manifests of a repository that are there for themselves, not as referrers. Who counts on one of them without
    /// looking at the graph waits for those who bring it, and not for those who attach.
    pub fn pushed(repository: &Repository) -> Self {
        Self::repository(repository).child(PUSHED)
    }

    /// The list of a repository's tags, without those of the referrers tag schema.
    pub fn tag_list(repository: &Repository) -> Self {
        Self::repository(repository).child(TAG_LIST)
    }

    /// A file or a folder with what lies under it. The path is absolute and has no `.` or `..`.
    pub fn path(path: &Path) -> Self {
        let mut parts = vec![part(FILE)];
        parts.extend(path.components().map(|part| Arc::from(part.as_os_str().to_string_lossy().as_ref())));
        Self(parts)
    }

    /// The repository that this is or is in, by its identity.
    pub fn in_repository(&self) -> Option<Repository> {
        if let Some(path) = self.in_layout() {
            return Some(Repository::Layout(path.to_owned()));
        }
        match self.0.as_slice() {
            [root, form, path, ..] if **root == *REGISTRY && archive(form).is_some() => {
                Some(Repository::Archive { form: archive(form)?, path: PathBuf::from(&**path) })
            }
            [root, host, name, ..] if **root == *REGISTRY => {
                Some(Repository::Registry { registry: host.parse().ok()?, name: name.parse().ok()? })
            }
            _ => None,
        }
    }

    /// The path of the image layout that this is or is in.
    pub fn in_layout(&self) -> Option<&Path> {
        match self.0.as_slice() {
            [root, layout, path, ..] if **root == *REGISTRY && **layout == *LAYOUT => Some(Path::new(&**path)),
            _ => None,
        }
    }

    /// The archive that this is or is in, where it is in one.
    pub fn in_archive(&self) -> Option<&Path> {
        match self.0.as_slice() {
            [root, form, path, ..] if **root == *REGISTRY && archive(form).is_some() => Some(Path::new(&**path)),
            _ => None,
        }
    }

    /// The path that this is, where it is one.
    pub fn as_path(&self) -> Option<PathBuf> {
        match self.0.as_slice() {
            [file, path @ ..] if **file == *FILE && !path.is_empty() => Some(path.iter().map(|part| &**part).collect()),
            _ => None,
        }
    }

    /// The tag's name, where this is one tag.
    pub fn tag_name(&self) -> Option<&str> {
        match self.0.as_slice() {
            [root, _, _, what, tag] if **root == *REGISTRY && **what == *TAG => Some(tag),
            _ => None,
        }
    }

    /// The parts from the root down.
    pub fn parts(&self) -> &[Arc<str>] {
        &self.0
    }

    /// What sort of thing this is.
    pub fn sort(&self) -> Sort {
        let Some(root) = self.0.first() else { return Sort::Everything };
        if **root == *FILE {
            return Sort::Path;
        }
        match self.0.get(3).map(AsRef::as_ref) {
            Some(TAG) => Sort::Tag,
            Some(TAG_LIST) => Sort::TagList,
            Some(_) => Sort::Graph,
            None => Sort::Repository,
        }
    }

    /// The smallest thing that contains both.
    pub fn common(&self, other: &Self) -> Self {
        let shared = self.0.iter().zip(&other.0).take_while(|(one, two)| one == two).count();
        Self(self.0[..shared].to_vec())
    }

    /// Whether `other` is this or in it.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// Whether this is no content but what points to it: a tag, all tags, or the tag list.
    pub fn is_name(&self) -> bool {
        matches!(self.0.as_slice(), [registry, _, _, what, ..] if **registry == *REGISTRY && [TAG, TAG_LIST].contains(&&**what))
    }

    /// Whether this is a file or a folder.
    pub fn is_path(&self) -> bool {
        self.0.first().is_some_and(|root| **root == *FILE)
    }

    /// Whether one of the two is the other or in it.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// This and everything that contains it, the root last.
    pub fn containers(&self) -> impl Iterator<Item = Self> {
        (0..=self.0.len()).rev().map(|parts| Self(self.0[..parts].to_vec()))
    }

    fn child(mut self, name: &str) -> Self {
        self.0.push(part(name));
        self
    }
}

fn host(registry: &RegistryName) -> Arc<str> {
    registry.identity().as_str().into()
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.0.iter().map(AsRef::as_ref).collect();
        match parts.as_slice() {
            [] => f.write_str("everything"),
            [REGISTRY] => f.write_str("any repository"),
            [REGISTRY, LAYOUT] => f.write_str("any image layout"),
            [REGISTRY, registry] => write!(f, "any repository of {registry}"),
            [REGISTRY, LAYOUT, path] => write!(f, "the image layout {path}"),
            [REGISTRY, form, path] if archive(form).is_some() => write!(f, "the archive {path}"),
            [REGISTRY, form, path, TAG] if archive(form).is_some() => write!(f, "any tag of {path}"),
            [REGISTRY, form, path, TAG, tag] if archive(form).is_some() => write!(f, "the tag {path}:{tag}"),
            [REGISTRY, form, path, what] if archive(form).is_some() => write!(f, "the {what} of {path}"),
            [REGISTRY, registry, name] => write!(f, "the repository {registry}/{name}"),
            [REGISTRY, LAYOUT, path, TAG] => write!(f, "any tag of {path}"),
            [REGISTRY, LAYOUT, path, TAG, tag] => write!(f, "the tag {path}:{tag}"),
            [REGISTRY, LAYOUT, path, what] => write!(f, "the {what} of {path}"),
            [REGISTRY, registry, name, TAG] => write!(f, "any tag of {registry}/{name}"),
            [REGISTRY, registry, name, TAG, tag] => write!(f, "the tag {registry}/{name}:{tag}"),
            [REGISTRY, registry, name, what] => write!(f, "the {what} of {registry}/{name}"),
            [FILE] => f.write_str("any file"),
            [FILE, root, path @ ..] => write!(f, "{root}{}", path.join("/")),
            _ => f.write_str(&parts.join("/")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Reference;

    fn repository(text: &str) -> Repository {
        text.parse::<Reference>().unwrap().repository
    }

    #[test]
    fn a_repository_contains_its_tags_and_no_others() {
        let app = repository("localhost:5000/app");
        let tag = Thing::tag(&repository("127.0.0.1:5000/app"), &"v1".parse().unwrap());
        assert!(Thing::repository(&app).contains(&tag));
        assert!(!Thing::repository(&repository("localhost:5000/app2")).contains(&tag));
        assert!(Thing::every_repository().contains(&Thing::graph(&repository("oci-layout:x"))));
        assert!(!Thing::graph(&app).contains(&tag));
    }

    #[test]
    fn what_differs_is_widened() {
        let app = repository("localhost:5000/app");
        let (one, two) = (Thing::tag(&app, &"v1".parse().unwrap()), Thing::tag(&app, &"v2".parse().unwrap()));
        assert_eq!(one.common(&two).to_string(), "any tag of localhost:5000/app");
        assert_eq!(one.common(&Thing::graph(&repository("ghcr.io/a/b"))).to_string(), "any repository");
        assert_eq!(Thing::path(Path::new("/a/b/c")).common(&Thing::path(Path::new("/a/x"))).to_string(), "/a");
    }
}
