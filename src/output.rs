//! What steps hand to each other: named values, the same in expressions, events and reports.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use crate::oci::{Descriptor, Digest, Reference, Repository};

/// The outputs of one step, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    values: BTreeMap<&'static str, Value>,
    about: Option<String>,
    guesses: BTreeMap<&'static str, String>,
}

/// The outputs of the steps that have succeeded, by the step's name.
pub type Outputs = BTreeMap<Arc<str>, Arc<Output>>;

impl Output {
    /// The outputs of every step that names a manifest: `reference`, `digest`, `media_type` and `size`.
    pub fn of_manifest(repository: &Repository, manifest: &Descriptor) -> Self {
        Self::default()
            .with("reference", Reference::by_digest(repository.clone(), manifest.digest.clone()).to_string())
            .with("digest", manifest.digest.to_string())
            .with("media_type", manifest.media_type.as_str())
            .with("size", manifest.size)
    }

    /// The same with one more value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.values.insert(name, value.into());
        self
    }

    /// The same, shown to people as being about `what` instead of its reference.
    #[must_use]
    pub fn about(mut self, what: impl Into<String>) -> Self {
        self.about = Some(what.into());
        self
    }

    /// The same with a mapping whose keys are not known before the run: while a plan is checked, it has every key.
    /// `guess` tells one guess from another.
    #[must_use]
    pub fn with_any_key(mut self, name: &'static str, guess: impl Into<String>) -> Self {
        self.guesses.insert(name, guess.into());
        self.with(name, Value::Object(serde_json::Map::new()))
    }

    /// The mappings whose keys are not known, with their guesses.
    pub fn guesses(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.guesses.iter().map(|(name, guess)| (*name, guess.as_str()))
    }

    /// What people are shown: what the step was about, where it says so, otherwise its reference.
    pub fn shown(&self) -> Option<&str> {
        self.about.as_deref().or_else(|| self.reference())
    }

    /// What the step was about, where it says so.
    pub fn subject(&self) -> Option<&str> {
        self.about.as_deref()
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// What an included plan hands on, by its own names.
    pub fn handed_on(&self) -> Option<&serde_json::Map<String, Value>> {
        self.get("outputs").and_then(Value::as_object)
    }

    /// All values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.values.iter().map(|(name, value)| (*name, value))
    }

    /// The `reference` output, where there is one.
    pub fn reference(&self) -> Option<&str> {
        self.get("reference").and_then(Value::as_str)
    }

    /// The `digest` output, where there is one.
    pub fn digest(&self) -> Option<Digest> {
        self.get("digest").and_then(Value::as_str).and_then(|digest| digest.parse().ok())
    }
}
