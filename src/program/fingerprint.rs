//! What decides what a step does, as a value that can be kept: see [`Fingerprint`].

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::Program;
use crate::{
    event::Fingerprint,
    oci::{Algorithm, Digest, Hasher, Repository},
    pack::{self, LayerOptions, PackError},
    plan::{
        Scope,
        yaml::{Node, NodeKind, Style},
    },
    step::{Access, Places, Step, Thing},
};

/// A fingerprint whose files are still to be read, and to which what comes from the steps before is still to be added.
#[derive(Debug)]
pub struct FingerprintDraft {
    kind: &'static str,
    fields: Digest,
    places: Places,
    sources: Vec<String>,
    /// Further files and folders by the names that the plan has for them.
    inputs: Vec<(String, PathBuf)>,
    epoch: Option<u64>,
}

impl Program {
    /// Begins the fingerprint of the step at that place, of which `instance` was made with the same `scope`.
    pub fn fingerprint(
        &self,
        step: usize,
        scope: &Scope,
        instance: &dyn Step,
        epoch: Option<u64>,
    ) -> Option<FingerprintDraft> {
        let planned = self.steps.get(step)?;
        let scope = scope.iteration(planned.iteration).within(self.prefix(planned.module));
        let body = scope.evaluate(&planned.body).ok()?;
        let mut fields = Hasher::new(Algorithm::Sha256);
        feed(&body, &mut fields);
        Some(FingerprintDraft {
            kind: planned.kind.name,
            fields: fields.finish(),
            places: self.places_of(step),
            sources: instance.sources().into_iter().map(|source| source.value.clone()).collect(),
            inputs: self.inputs(step, instance),
            epoch,
        })
    }

    /// The local files and folders that decide what a step does, beside its sources. What it changes itself or what is
    /// changed after it says nothing when somebody looks again.
    fn inputs(&self, step: usize, instance: &dyn Step) -> Vec<(String, PathBuf)> {
        let places = self.places_of(step);
        let changed = |from: usize, thing: &Thing| {
            let steps = self.steps.iter().skip(from);
            let touches = steps.flat_map(|step| step.effects.touches());
            touches.into_iter().any(|(access, other)| *access != Access::Read && other.overlaps(thing))
        };
        let mut inputs = instance.inputs(&places);
        inputs.retain(|(_, path)| !changed(step, &Thing::path(path)));
        let effects = instance.effects(&places);
        for (_, thing) in effects.touches() {
            let Some(repository) = thing.in_repository() else { continue };
            let file = match &repository {
                Repository::Registry { .. } => continue,
                // It names all else by digest.
                Repository::Layout(folder) => folder.join("index.json"),
                Repository::Archive { path, .. } => path.clone(),
            };
            let name = places.shown(&repository).to_string();
            // The file changes with everything that is put into the repository, whatever the tag.
            if inputs.iter().all(|(known, _)| *known != name) && !changed(0, &Thing::repository(&repository)) {
                inputs.push((name, file));
            }
        }
        inputs
    }
}

impl FingerprintDraft {
    /// Reads the files. Blocking. Where one cannot be read, there is no fingerprint.
    pub fn read(self) -> Option<Fingerprint> {
        let digest = |pattern: &String| Some((pattern.clone(), self.source(pattern).ok()?));
        let mut files: BTreeMap<_, _> = self.sources.iter().map(digest).collect::<Option<_>>()?;
        for (name, path) in &self.inputs {
            files.insert(name.clone(), input(path).ok()?);
        }
        let (fields, epoch) = (self.fields, self.epoch);
        Some(Fingerprint { kind: self.kind.to_owned(), fields, files, before: BTreeMap::new(), epoch })
    }

    /// The digest of all that a path or a glob names, names and contents.
    fn source(&self, pattern: &str) -> Result<Digest, PackError> {
        let mut all = Hasher::new(Algorithm::Sha256);
        let folder = self.places.source_root(pattern);
        for path in pack::expand(folder, pattern)? {
            let there = folder.join(&path);
            let digest = if there.is_dir() {
                pack::directory_digest(&there, &LayerOptions::image("/"))?
            } else {
                pack::describe_file(&there, "")?.digest
            };
            part(&mut all, b'f', path.as_os_str().as_encoded_bytes());
            part(&mut all, b'd', digest.to_string().as_bytes());
        }
        Ok(all.finish())
    }
}

/// The digest of a file or folder, names and contents; of nothing where there is none.
fn input(path: &Path) -> Result<Digest, PackError> {
    if path.is_dir() {
        return pack::directory_digest(path, &LayerOptions::image("/"));
    }
    if path.exists() { Ok(pack::describe_file(path, "")?.digest) } else { Ok(Digest::sha256(b"")) }
}

/// Takes in a tree, so that two trees that mean different things never are the same bytes.
fn feed(node: &Node, hasher: &mut Hasher) {
    match &node.kind {
        // What is not quoted may be a number or a boolean where any value may stand.
        NodeKind::Scalar(scalar) if scalar.style == Style::Plain => part(hasher, b'p', scalar.text.as_bytes()),
        NodeKind::Scalar(scalar) => part(hasher, b't', scalar.text.as_bytes()),
        NodeKind::Value(serde_json::Value::String(text)) => part(hasher, b't', text.as_bytes()),
        NodeKind::Value(value) => part(hasher, b'v', value.to_string().as_bytes()),
        NodeKind::Secret(name) => part(hasher, b's', name.as_bytes()),
        NodeKind::Unknown => part(hasher, b'u', b""),
        NodeKind::Sequence(items) => {
            part(hasher, b'l', &items.len().to_be_bytes());
            for item in items {
                feed(item, hasher);
            }
        }
        NodeKind::Mapping(entries) => {
            part(hasher, b'm', &entries.len().to_be_bytes());
            for entry in entries {
                part(hasher, b'k', entry.key.text.as_bytes());
                feed(&entry.value, hasher);
            }
        }
    }
}

fn part(hasher: &mut Hasher, tag: u8, bytes: &[u8]) {
    hasher.update(&[tag]);
    hasher.update(&bytes.len().to_be_bytes());
    hasher.update(bytes);
}
