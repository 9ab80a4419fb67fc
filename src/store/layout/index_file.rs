//! `index.json`: which manifests a layout has, and under which tags. No I/O.
//!
//! A manifest with several tags has several entries, one without any has one. What other tools wrote stays as it is.

use std::{path::Path, sync::Arc};

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::folder::layout;
use crate::{
    oci::{Content, Descriptor, Digest, Manifest, Tag, annotation},
    store::StoreError,
};

/// <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md#indexjson-file>
#[derive(Debug, Clone)]
pub(super) struct IndexFile {
    /// Every member but `manifests`.
    members: Map<String, Value>,
    entries: Vec<Arc<Entry>>,
}

#[derive(Debug)]
struct Entry {
    /// As it was read, and as it is written: composing ten thousand of them anew for each that is added would take long.
    text: String,
    /// What consign makes of it; nothing where it is not a descriptor that consign can use.
    descriptor: Option<Arc<Descriptor>>,
    /// The name that makes it a tag, whatever it looks like.
    name: Option<String>,
    /// Whether it says nothing that the manifest does not say itself.
    is_bare: bool,
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
            Some(Value::Array(entries)) => entries.iter().map(|entry| Arc::new(Entry::new(entry))).collect(),
            Some(_) => return Err(layout(path, "it is not an image index: `manifests` must be a list")),
        };
        Ok(Self { members, entries })
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut text = Value::Object(self.members.clone()).to_string();
        text.pop();
        text.push_str(if self.members.is_empty() { r#""manifests":["# } else { r#","manifests":["# });
        for (number, entry) in self.entries.iter().enumerate() {
            if number > 0 {
                text.push(',');
            }
            text.push_str(&entry.text);
        }
        text.push_str("]}");
        if text.len() as u64 > Self::MAX_SIZE {
            let message = format!("it would have more than {} bytes, which is the most that is read", Self::MAX_SIZE);
            return Err(layout(Path::new("index.json"), message));
        }
        Ok(text.into_bytes())
    }

    /// The manifests that consign can read, once per entry.
    pub(super) fn manifests(&self) -> impl Iterator<Item = &Arc<Descriptor>> {
        self.entries.iter().filter_map(|entry| entry.manifest())
    }

    /// The manifest that the tag names. Where other tools left several, the first.
    pub(super) fn tagged(&self, tag: &Tag) -> Option<&Arc<Descriptor>> {
        let mut named = self.entries.iter().filter(|entry| entry.name.as_deref() == Some(tag.as_str()));
        named.find_map(|entry| entry.manifest())
    }

    /// Every tag with its manifest, in order. Other tools write whole references as names too: those are none.
    pub(super) fn tags(&self) -> impl Iterator<Item = (Tag, &Arc<Descriptor>)> {
        self.entries.iter().filter_map(|entry| Some((entry.name.as_ref()?.parse().ok()?, entry.manifest()?)))
    }

    /// What must stay whatever reaches it: everything with a name, and what consign cannot read.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Descriptor> {
        let kept = self.entries.iter().filter(|entry| entry.name.is_some() || entry.manifest().is_none());
        kept.filter_map(|entry| entry.descriptor.as_deref())
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
            self.entries.retain(|entry| !(entry.is_of(digest) && entry.is_bare));
        }
        self.insert(Entry::of(manifest, tag));
        true
    }

    /// Takes the tag away; its manifest stays listed. `false`: there was no such tag.
    pub(super) fn untag(&mut self, tag: &Tag) -> bool {
        let (named, rest): (Vec<Arc<Entry>>, _) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| entry.name.as_deref() == Some(tag.as_str()));
        self.entries = rest;
        let found = !named.is_empty();
        for entry in named.iter().map(|entry| entry.without_name()) {
            let needless = entry.is_bare && entry.descriptor.as_ref().is_some_and(|it| self.lists(&it.digest));
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

    pub(super) fn lists(&self, digest: &Digest) -> bool {
        self.entries.iter().any(|entry| entry.is_of(digest))
    }

    /// Tagged entries first, by tag, then the others, by digest: the same file in whatever order things were written.
    fn insert(&mut self, entry: Entry) {
        let place = self.entries.iter().position(|other| other.key() > entry.key()).unwrap_or(self.entries.len());
        self.entries.insert(place, Arc::new(entry));
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
    fn new(value: &Value) -> Self {
        let known = ["mediaType", "digest", "size", "artifactType"];
        let is_bare = value.as_object().is_some_and(|members| members.keys().all(|key| known.contains(&key.as_str())));
        Self {
            text: value.to_string(),
            descriptor: Descriptor::deserialize(value).ok().map(Arc::new),
            name: name(value).map(str::to_owned),
            is_bare,
        }
    }

    fn of(manifest: &Manifest, tag: Option<&Tag>) -> Self {
        let artifact_type = match manifest.content() {
            Content::Image(manifest) => manifest.artifact_type.clone(),
            Content::Index(index) => index.artifact_type.clone(),
        };
        let name = tag.map(|tag| (annotation::REF_NAME.to_owned(), tag.to_string()));
        let descriptor = Descriptor { artifact_type, annotations: name.into_iter().collect(), ..manifest.descriptor() };
        Self::new(&json!(descriptor))
    }

    fn manifest(&self) -> Option<&Arc<Descriptor>> {
        self.descriptor.as_ref().filter(|descriptor| descriptor.is_manifest())
    }

    fn is_of(&self, digest: &Digest) -> bool {
        self.descriptor.as_ref().is_some_and(|descriptor| descriptor.digest == *digest)
    }

    fn without_name(&self) -> Self {
        let mut value: Value = serde_json::from_str(&self.text).unwrap_or_default();
        if let Some(members) = value.as_object_mut()
            && let Some(annotations) = members.get_mut("annotations").and_then(Value::as_object_mut)
        {
            annotations.shift_remove(annotation::REF_NAME);
            if annotations.is_empty() {
                members.shift_remove("annotations");
            }
        }
        Self::new(&value)
    }

    fn key(&self) -> (bool, &str, Option<&Digest>) {
        (self.name.is_none(), self.name.as_deref().unwrap_or_default(), self.descriptor.as_ref().map(|it| &it.digest))
    }
}

fn name(entry: &Value) -> Option<&str> {
    entry.get("annotations")?.get(annotation::REF_NAME)?.as_str()
}
