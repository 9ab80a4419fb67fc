//! The filters that minijinja does not have: parts of references, digests and versions.

use minijinja::{Environment, Error, ErrorKind, Value, value::ValueKind};

use crate::{
    oci::{Digest, Reference, Repository},
    plan::loop_outputs::LoopOutputs,
};

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("hex", |text: &str| digest(text).map(|digest| digest.hex().to_owned()));
    environment.add_filter("short", |text: &str| digest(text).map(|digest| digest.short().to_owned()));
    environment.add_filter("registry", |text: &str| match reference(text)?.repository {
        Repository::Registry { registry, .. } => Ok(registry.to_string()),
        Repository::Layout(_) | Repository::Archive { .. } => Err(wrong(format!("`{text}` names no registry"))),
    });
    environment.add_filter("repository", |text: &str| match reference(text)?.repository {
        Repository::Registry { name, .. } => Ok(name.to_string()),
        Repository::Layout(path) | Repository::Archive { path, .. } => Ok(path.display().to_string()),
    });
    environment.add_filter("tag_of", |text: &str| {
        reference(text)?.tag.map(|tag| tag.to_string()).ok_or_else(|| wrong(format!("`{text}` has no tag")))
    });
    environment.add_filter("digest_of", |text: &str| {
        reference(text)?.digest.map(|digest| digest.to_string()).ok_or_else(|| wrong(format!("`{text}` has no digest")))
    });
    environment.add_filter("oci_tag", |text: &str| oci_tag(text));
    environment.add_filter("semver_major", |text: &str| version(text).map(|version| version.major.to_string()));
    environment.add_filter("semver_minor", |text: &str| {
        version(text).map(|version| format!("{}.{}", version.major, version.minor))
    });
    environment.add_filter("pluck", |of: &Value, what: &str| pluck(of, what));
    environment.add_filter("basename", |text: &str| {
        text.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
    });
}

/// What each of the values has under that name, or of several names with dots between, in the order of the values.
fn pluck(of: &Value, what: &str) -> Result<Value, Error> {
    // What a step that did not run would hand on is not there; where that may be is checked before the run.
    let may_lack = of.downcast_object_ref::<LoopOutputs>().is_some();
    let keys = of.try_iter()?;
    let values: Vec<Value> = match of.kind() {
        ValueKind::Map => keys.map(|key| of.get_item(&key)).collect::<Result<_, _>>()?,
        _ => keys.collect(),
    };
    let mut plucked = Vec::with_capacity(values.len());
    for value in values {
        let found = what
            .split('.')
            .try_fold(value, |value, part| if value.is_undefined() { Ok(value) } else { value.get_attr(part) })?;
        if !found.is_undefined() {
            plucked.push(found);
        } else if !may_lack {
            return Err(wrong(format!("not each of the values has `{what}`")));
        }
    }
    Ok(Value::from(plucked))
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn digest(text: &str) -> Result<Digest, Error> {
    // A reference with a digest will do: `steps.image.reference | short`.
    let digest = text.rsplit_once('@').map_or(text, |(_, digest)| digest);
    digest.parse().map_err(|error| wrong(format!("{error}")))
}

fn reference(text: &str) -> Result<Reference, Error> {
    text.parse().map_err(|error| wrong(format!("{error}")))
}

fn version(text: &str) -> Result<semver::Version, Error> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    bare.parse().map_err(|_| wrong(format!("`{text}` is not a semantic version such as `1.2.3`")))
}

/// Any text made a legal tag: what is not allowed becomes `-`, and it is cut to 128.
fn oci_tag(text: &str) -> Result<String, Error> {
    let legal = |letter: char| if letter.is_ascii_alphanumeric() || "_.-".contains(letter) { letter } else { '-' };
    let tag: String = text.chars().map(legal).collect();
    let tag: String = tag.trim_start_matches(['.', '-']).chars().take(128).collect();
    if tag.is_empty() { Err(wrong(format!("nothing of `{text}` can stand in a tag"))) } else { Ok(tag) }
}
