use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PredicateType, Refusal};
use crate::oci::Digest;

/// What somebody says of a manifest.
///
/// <https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md>
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    #[serde(default)]
    predicate: Value,
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Subject {
    // cosign writes a name too, of which nothing follows.
    digest: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    annotations: BTreeMap<String, String>,
}

/// What cosign's own attestations are written as.
const VERSION_0_1: &str = "https://in-toto.io/Statement/v0.1";
const VERSION_1: &str = "https://in-toto.io/Statement/v1";

impl Statement {
    /// Somebody signs the manifest, and says this besides.
    pub fn signature(subject: &Digest, annotations: &BTreeMap<String, String>) -> Self {
        Self::new(subject, annotations.clone(), PredicateType::SIGNATURE, Value::Object(serde_json::Map::new()))
    }

    /// Somebody vouches for `predicate` about the manifest.
    pub fn attestation(subject: &Digest, predicate_type: &PredicateType, predicate: Value) -> Self {
        Self::new(subject, BTreeMap::new(), predicate_type.as_str(), predicate)
    }

    fn new(subject: &Digest, annotations: BTreeMap<String, String>, predicate_type: &str, predicate: Value) -> Self {
        let digest = BTreeMap::from([(subject.algorithm().name().to_owned(), subject.hex().to_owned())]);
        Self {
            kind: VERSION_1.to_owned(),
            subject: vec![Subject { digest, annotations }],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// The same, which says this besides of each of its subjects.
    #[must_use]
    pub fn saying(mut self, name: &str, value: &str) -> Self {
        for subject in &mut self.subject {
            subject.annotations.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    /// As it is signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A statement has text for keys, and nothing that JSON cannot hold.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what was signed.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let statement: Self = serde_json::from_slice(bytes)
            .map_err(|error| Refusal::bad(format!("what was signed is no in-toto statement: {error}")))?;
        if ![VERSION_0_1, VERSION_1].contains(&statement.kind.as_str()) {
            return Err(Refusal::bad(format!(
                "what was signed is of type `{}`, not an in-toto statement",
                statement.kind
            )));
        }
        Ok(statement)
    }

    /// Fails unless it is about that manifest. Gives what it says besides.
    pub fn check_subject(&self, subject: &Digest) -> Result<&BTreeMap<String, String>, Refusal> {
        let (algorithm, hex) = (subject.algorithm().name(), subject.hex());
        let is_it = |one: &&Subject| one.digest.get(algorithm).is_some_and(|digest| digest == hex);
        self.subject.iter().find(is_it).map(|one| &one.annotations).ok_or_else(|| {
            let about = self.subject.iter().take(3).flat_map(|one| &one.digest);
            let about: Vec<_> = about.map(|(algorithm, hex)| format!("{algorithm}:{hex}")).collect();
            Refusal::Foreign { about: if about.is_empty() { "nothing".to_owned() } else { about.join(", ") } }
        })
    }

    /// What it says of its subject.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// The same in full.
    pub const fn predicate(&self) -> &Value {
        &self.predicate
    }
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
