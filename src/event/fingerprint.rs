use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::oci::Digest;

/// What decides what a step does: where all of it is the same, running the step again is for nothing. Secrets have no part
/// in it but their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The kind of the step.
    pub kind: String,
    /// Of its fields, every expression in them evaluated.
    pub fields: Digest,
    /// Of the local files and folders that it reads, as they are named in the plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Digest>,
    /// Of what the steps handed on that it waits for. `+` is for those behind a join, all in one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, Digest>,
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970, where it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
}

impl Fingerprint {
    /// What is different now, in words; nothing where both are the same.
    pub fn difference(&self, now: &Self) -> Option<String> {
        if self.kind != now.kind {
            return Some(format!("its kind was `{}`", self.kind));
        }
        if self.fields != now.fields {
            return Some("its fields are different".to_owned());
        }
        if let Some(file) = first_difference(&self.files, &now.files) {
            return Some(format!("{file} is different"));
        }
        if let Some(step) = first_difference(&self.before, &now.before) {
            return Some(match step {
                "+" => "what steps before it hand on is different".to_owned(),
                step => format!("what `{step}` hands on is different"),
            });
        }
        (self.epoch != now.epoch).then(|| "`SOURCE_DATE_EPOCH` is different".to_owned())
    }
}

/// The first name under which the two have different digests, or only one has any.
fn first_difference<'a>(one: &'a BTreeMap<String, Digest>, other: &'a BTreeMap<String, Digest>) -> Option<&'a str> {
    let names = one.keys().chain(other.keys());
    names.filter(|name| one.get(*name) != other.get(*name)).min().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_different_is_said_in_words() {
        let digests = |names: &[&str], text: &str| -> BTreeMap<String, Digest> {
            names.iter().map(|name| ((*name).to_owned(), Digest::sha256(text.as_bytes()))).collect()
        };
        let was = Fingerprint {
            kind: "push".to_owned(),
            fields: Digest::sha256(b"fields"),
            files: digests(&["a", "b"], "file"),
            before: digests(&["one"], "output"),
            epoch: None,
        };
        assert_eq!(was.difference(&was), None);
        let say = |now: Fingerprint| was.difference(&now).unwrap();
        assert_eq!(say(Fingerprint { kind: "tag".to_owned(), ..was.clone() }), "its kind was `push`");
        assert_eq!(say(Fingerprint { fields: Digest::sha256(b""), ..was.clone() }), "its fields are different");
        assert_eq!(say(Fingerprint { files: digests(&["a"], "file"), ..was.clone() }), "b is different");
        let before = digests(&["one"], "other");
        assert_eq!(say(Fingerprint { before, ..was.clone() }), "what `one` hands on is different");
        let before = digests(&["+", "one"], "output");
        assert_eq!(say(Fingerprint { before, ..was.clone() }), "what steps before it hand on is different");
        assert_eq!(say(Fingerprint { epoch: Some(0), ..was.clone() }), "`SOURCE_DATE_EPOCH` is different");
    }
}
