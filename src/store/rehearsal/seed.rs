use std::path::{Path, PathBuf};

use super::kept;
use crate::{
    oci::{Descriptor, Reference, ReferenceError, Repository, Tag, Target, annotation},
    store::{LayoutStore, Store, StoreError},
};

/// Content that a rehearsal begins with, as `--seed` says it: `REPOSITORY[:TAG]=[oci-layout:]PATH[:TAG|@DIGEST]`, or a folder
/// alone: an image layout whose names are whole references, or what `--keep` left.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Where it goes; nothing where the content says it itself.
    to: Option<Reference>,
    /// Absolute.
    path: PathBuf,
    /// Which manifest of the layout; all of them where none is named.
    from: Option<Target>,
}

/// One manifest on its way into a rehearsal.
#[derive(Debug)]
pub(super) struct Planting {
    /// The image layout that has it.
    pub(super) layout: PathBuf,
    pub(super) manifest: Descriptor,
    pub(super) repository: Repository,
    pub(super) tag: Option<Tag>,
}

/// Why a rehearsal cannot begin with that.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// Where it goes is no reference.
    #[error("`{text}`: {source}")]
    Reference {
        /// What stands there.
        text: String,
        /// Why.
        source: ReferenceError,
    },
    /// What is sown has the digest that it has.
    #[error("`{text}` has a digest, which follows from the content: write a repository, or a tag")]
    Digest {
        /// What stands there.
        text: String,
    },
    /// There is no such thing.
    #[error("{} is no image layout: there is no file `oci-layout` in it, or below it", path.display())]
    NoLayout {
        /// What was named.
        path: PathBuf,
    },
    /// A layout that does not say where its content goes.
    #[error("`{name}` in {} is no whole reference: say where it goes with `registry/repository=PATH`", path.display())]
    Name {
        /// What stands there; empty where nothing does.
        name: String,
        /// The layout.
        path: PathBuf,
    },
    /// A layout below a folder that names no repository.
    #[error("{} stands under no `registry/repository`: say where it goes with `registry/repository=PATH`", path.display())]
    Place {
        /// The layout.
        path: PathBuf,
    },
    /// One manifest was wanted.
    #[error("{} has {} manifests: add `:TAG` or `@DIGEST` to the path that begins with `oci-layout:`", path.display(), count)]
    Several {
        /// The layout.
        path: PathBuf,
        /// How many it has.
        count: usize,
    },
    /// That manifest is not in the layout.
    #[error("there is no `{target}` in {}", path.display())]
    Missing {
        /// What was asked for.
        target: Target,
        /// The layout.
        path: PathBuf,
    },
    /// The content could not be read, or not be brought.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Seed {
    /// Reads `text`. `folder` is where relative paths begin.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, SeedError> {
        let parse = |text: &str| {
            text.parse::<Reference>().map_err(|source| SeedError::Reference { text: text.to_owned(), source })
        };
        let (to, from) = match text.split_once('=') {
            Some((to, from)) => (Some(parse(to)?), from),
            None => (None, text),
        };
        if to.as_ref().is_some_and(|to| to.digest.is_some()) {
            return Err(SeedError::Digest { text: text.to_owned() });
        }
        if !from.starts_with("oci-layout:") {
            return Ok(Self { to, path: folder.join(from), from: None });
        }
        let from = parse(from)?;
        let target = from.target();
        match from.repository {
            Repository::Layout(path) => Ok(Self { to, path: folder.join(path), from: target }),
            Repository::Registry { .. } | Repository::Archive { .. } => {
                Err(SeedError::NoLayout { path: folder.join(text) })
            }
        }
    }

    /// The layout or folder that it comes from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What goes where, as it is named: the path of an image layout may begin at the work folder.
    pub(super) async fn plantings(&self) -> Result<Vec<Planting>, SeedError> {
        if kept::is_layout(&self.path) {
            let layout = LayoutStore::open(&self.path);
            return match &self.to {
                Some(to) => self.sown_to(&layout, to).await,
                None => self.sown_by_name(&layout).await,
            };
        }
        let layouts = if self.to.is_none() { kept::layouts(&self.path) } else { Vec::new() };
        if layouts.is_empty() {
            return Err(SeedError::NoLayout { path: self.path.clone() });
        }
        let mut plantings = Vec::new();
        for path in layouts {
            let below = path.strip_prefix(&self.path).unwrap_or(&path);
            let repository = kept::repository(below);
            let repository = repository.ok_or_else(|| SeedError::Place { path: path.clone() })?;
            plantings.extend(everything(&LayoutStore::open(&path), &path, &repository).await?);
        }
        Ok(plantings)
    }

    async fn sown_to(&self, layout: &LayoutStore, to: &Reference) -> Result<Vec<Planting>, SeedError> {
        let manifest = match (&self.from, &to.tag) {
            (None, None) => return Ok(everything(layout, &self.path, &to.repository).await?),
            (Some(target), _) => {
                let found = layout.resolve(target).await?;
                found.ok_or_else(|| SeedError::Missing { target: target.clone(), path: self.path.clone() })?
            }
            (None, Some(_)) => self.only(layout).await?,
        };
        let own = match &self.from {
            Some(Target::Tag(tag)) => Some(tag.clone()),
            _ => None,
        };
        let tag = to.tag.clone().or(own);
        let repository = to.repository.clone();
        Ok(vec![Planting { layout: self.path.clone(), manifest, repository, tag }])
    }

    /// The manifest that the layout is about: the only one that has a name, or the only one.
    async fn only(&self, layout: &LayoutStore) -> Result<Descriptor, SeedError> {
        let mut entries = layout.entries().await?;
        if entries.iter().any(|entry| name(entry).is_some()) {
            entries.retain(|entry| name(entry).is_some());
        }
        entries.dedup_by(|one, other| one.digest == other.digest);
        match <[_; 1]>::try_from(entries) {
            Ok([only]) => Ok(only),
            Err(entries) => Err(SeedError::Several { path: self.path.clone(), count: entries.len() }),
        }
    }

    async fn sown_by_name(&self, layout: &LayoutStore) -> Result<Vec<Planting>, SeedError> {
        let mut plantings = Vec::new();
        for manifest in layout.entries().await? {
            // What has no name is part of a graph, and goes along with it.
            let Some(name) = name(&manifest) else { continue };
            let fail = || SeedError::Name { name: name.to_owned(), path: self.path.clone() };
            let to = name.parse::<Reference>().map_err(|_| fail())?;
            let repository = to.repository.clone();
            plantings.push(Planting { layout: self.path.clone(), repository, tag: to.tag, manifest });
        }
        if plantings.is_empty() {
            return Err(SeedError::Name { name: String::new(), path: self.path.clone() });
        }
        Ok(plantings)
    }
}

/// Every manifest of a layout, under the tag that it has there.
async fn everything(layout: &LayoutStore, path: &Path, repository: &Repository) -> Result<Vec<Planting>, StoreError> {
    let tag = |manifest: &Descriptor| {
        let name = name(manifest)?;
        name.parse().ok().or_else(|| name.parse::<Reference>().ok()?.tag)
    };
    let plantings = layout.entries().await?.into_iter().map(|manifest| {
        let tag = tag(&manifest);
        Planting { layout: path.to_path_buf(), repository: repository.clone(), tag, manifest }
    });
    Ok(plantings.collect())
}

fn name(manifest: &Descriptor) -> Option<&str> {
    manifest.annotations.get(annotation::REF_NAME).map(String::as_str)
}
