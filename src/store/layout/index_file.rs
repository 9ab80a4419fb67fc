//! `index.json`: which manifests a layout has, and under which tags. No I/O.
//!
//! A manifest with several tags has several entries, one without any has one. What other tools wrote stays as it is.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::folder::layout;
use crate::{
    oci::{Content, Descriptor, Digest, Manifest, Tag, annotation},
    store::StoreError,
};

/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md#indexjson-file>
#[derive(Debug)]
pub(super) struct IndexFile {
    /// Every member but `manifests`.
    members: Map<String, Value>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// As it was read.
    value: Value,
    /// What consign makes of it; nothing where it is not a descriptor that consign can use.
    descriptor: Option<Descriptor>,
}

impl IndexFile {
    /// The most that is read: some hundred thousand entries.
    pub(super) const MAX_SIZE: u64 = 64 * 1024 * 1024;

    /// Reads what stands in the file at `path`.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, StoreError> {
        let mut members: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| layout(path, format!("it is not an image index: {error}")))?;
        let entries = match members.shift_remove("manifests") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(entries)) => entries.into_iter().map(Entry::new).collect(),
            Some(_) => return Err(layout(path, "it is not an image index: `manifests` must be a list")),
        };
        Ok(Self { members, entries })
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut members = self.members.clone();
        let entries = self.entries.iter().map(|entry| entry.value.clone()).collect();
        members.insert("manifests".to_owned(), Value::Array(entries));
        serde_json::to_vec(&members).map_err(|error| layout(Path::new("index.json"), error.to_string()))
    }

    /// The manifests that consign can read, once per entry.
    pub(super) fn manifests(&self) -> impl Iterator<Item = &Descriptor> {
        self.entries.iter().filter_map(|entry| entry.descriptor.as_ref()).filter(|entry| entry.is_manifest())
    }

    /// The manifest that the tag names. Where other tools left several, the first.
    pub(super) fn tagged(&self, tag: &Tag) -> Option<&Descriptor> {
        self.manifests()
            .find(|entry| entry.annotations.get(annotation::REF_NAME).is_some_and(|name| name == tag.as_str()))
    }

    /// Every name that is a tag, sorted. Other tools write whole references there too.
    pub(super) fn tags(&self) -> Vec<Tag> {
        let names = self.manifests().filter_map(|entry| entry.annotations.get(annotation::REF_NAME));
        let mut tags: Vec<Tag> = names.filter_map(|name| name.parse().ok()).collect();
        tags.sort();
        tags.dedup();
        tags
    }

    /// Lists the manifest, and moves the tag to it. `false`: it was so.
    pub(super) fn put(&mut self, manifest: &Manifest, tag: Option<&Tag>) -> bool {
        let digest = manifest.digest();
        let already = match tag {
            Some(tag) => self.tagged(tag).is_some_and(|entry| entry.digest == *digest),
            None => self.lists(digest),
        };
        if already {
            return false;
        }
        if let Some(tag) = tag {
            self.untag(tag);
            self.entries.retain(|entry| !(entry.is_of(digest) && entry.is_bare()));
        }
        self.insert(Entry::of(manifest, tag));
        true
    }

    /// Takes the tag away; its manifest stays listed. `false`: there was no such tag.
    pub(super) fn untag(&mut self, tag: &Tag) -> bool {
        let (named, rest): (Vec<Entry>, _) =
            std::mem::take(&mut self.entries).into_iter().partition(|entry| entry.name() == Some(tag.as_str()));
        self.entries = rest;
        let found = !named.is_empty();
        for entry in named.into_iter().map(Entry::without_name) {
            let needless = entry.is_bare() && entry.descriptor.as_ref().is_some_and(|it| self.lists(&it.digest));
            if !needless {
                self.insert(entry);
            }
        }
        found
    }

    /// Removes the manifest with all of its tags. `false`: it was not listed.
    pub(super) fn remove(&mut self, digest: &Digest) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| !entry.is_of(digest));
        self.entries.len() < before
    }

    fn lists(&self, digest: &Digest) -> bool {
        self.entries.iter().any(|entry| entry.is_of(digest))
    }

    /// Tagged entries first, by tag, then the others, by digest: the same file in whatever order things were written.
    fn insert(&mut self, entry: Entry) {
        let place = self.entries.iter().position(|other| other.key() > entry.key()).unwrap_or(self.entries.len());
        self.entries.insert(place, entry);
    }
}

impl Default for IndexFile {
    fn default() -> Self {
        let mut members = Map::new();
        members.insert("schemaVersion".to_owned(), json!(2));
        members.insert("mediaType".to_owned(), json!(crate::oci::media_type::IMAGE_INDEX));
        Self { members, entries: Vec::new() }
    }
}

impl Entry {
    fn new(value: Value) -> Self {
        let descriptor = serde_json::from_value(value.clone()).ok();
        Self { value, descriptor }
    }

    fn of(manifest: &Manifest, tag: Option<&Tag>) -> Self {
        let artifact_type = match manifest.content() {
            Content::Image(manifest) => manifest.artifact_type.clone(),
            Content::Index(index) => index.artifact_type.clone(),
        };
        let name = tag.map(|tag| (annotation::REF_NAME.to_owned(), tag.to_string()));
        let descriptor = Descriptor { artifact_type, annotations: name.into_iter().collect(), ..manifest.descriptor() };
        Self { value: json!(descriptor), descriptor: Some(descriptor) }
    }

    fn is_of(&self, digest: &Digest) -> bool {
        self.descriptor.as_ref().is_some_and(|descriptor| descriptor.digest == *digest)
    }

    fn name(&self) -> Option<&str> {
        self.value.get("annotations")?.get(annotation::REF_NAME)?.as_str()
    }

    /// Whether it says nothing that the manifest does not say itself.
    fn is_bare(&self) -> bool {
        let known = ["mediaType", "digest", "size", "artifactType"];
        self.value.as_object().is_some_and(|members| members.keys().all(|key| known.contains(&key.as_str())))
    }

    fn without_name(mut self) -> Self {
        if let Some(members) = self.value.as_object_mut()
            && let Some(annotations) = members.get_mut("annotations").and_then(Value::as_object_mut)
        {
            annotations.shift_remove(annotation::REF_NAME);
            if annotations.is_empty() {
                members.shift_remove("annotations");
            }
        }
        Self::new(self.value)
    }

    fn key(&self) -> (bool, &str, Option<&Digest>) {
        (self.name().is_none(), self.name().unwrap_or_default(), self.descriptor.as_ref().map(|it| &it.digest))
    }
}
