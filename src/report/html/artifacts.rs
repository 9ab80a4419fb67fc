//! What the steps made and found: manifests under their repositories, referrers under their subjects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{copied, escape};
use crate::{
    oci::Reference,
    report::record::{Record, StepRecord},
    text,
};

/// Deeper trees are cut: nobody looks that far down.
const DEPTH: usize = 40;
/// More files of one artifact than this are only counted.
const FILES: usize = 20;

/// A manifest.
#[derive(Default)]
struct Artifact<'a> {
    /// Its artifact type.
    kind: Option<&'a str>,
    tags: BTreeSet<&'a str>,
    /// The steps that made it or looked at it, in file order.
    steps: Vec<&'a StepRecord>,
    size: Option<u64>,
    subject: Option<&'a str>,
    files: &'a [Value],
    /// The step that deleted it.
    gone: Option<&'a StepRecord>,
}

type Repository<'a> = BTreeMap<String, Artifact<'a>>;

/// A tree for each repository; empty where no step names a manifest.
pub(super) fn draw(record: &Record) -> String {
    let mut repositories: BTreeMap<String, Repository<'_>> = BTreeMap::new();
    record.steps.iter().for_each(|step| learn(&mut repositories, step));
    let mut drawn = String::new();
    for (name, artifacts) in &repositories {
        let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (digest, artifact) in artifacts {
            if let Some(subject) = artifact.subject.filter(|subject| artifacts.contains_key(*subject)) {
                children.entry(subject).or_default().push(digest);
            }
        }
        let is_root = |artifact: &Artifact<'_>| artifact.subject.is_none_or(|subject| !artifacts.contains_key(subject));
        let mut roots: Vec<_> = artifacts.iter().filter(|(_, artifact)| is_root(artifact)).collect();
        roots.sort_by_key(|(_, artifact)| artifact.steps.first().map_or(usize::MAX, |step| step.id.index()));
        drawn.extend(["<h3>", &copied(name, name), "</h3>\n<ul class=\"tree\">\n"]);
        let mut seen = BTreeSet::new();
        for (digest, _) in roots {
            branch(&mut drawn, artifacts, &children, digest, &mut seen, DEPTH);
        }
        drawn += "</ul>\n";
    }
    drawn
}

fn learn<'a>(repositories: &mut BTreeMap<String, Repository<'a>>, step: &'a StepRecord) {
    let Some(output) = step.output.as_deref() else { return };
    let text = |name: &str| output.get(name).and_then(Value::as_str);
    if let Some(deleted) = output.get("deleted").and_then(Value::as_array) {
        let about = output.shown().and_then(|shown| shown.parse::<Reference>().ok());
        let repository = about.and_then(|about| repositories.get_mut(&about.repository.to_string()));
        for (digest, artifact) in repository.into_iter().flatten() {
            if deleted.iter().any(|deleted| deleted.as_str() == Some(digest)) {
                artifact.gone = Some(step);
            }
        }
        return;
    }
    let is_listing = output.get("referrers").is_some();
    if let Some(artifact) = text("reference").and_then(|reference| artifact(repositories, reference)) {
        artifact.steps.push(step);
        artifact.tags.extend(text("tag"));
        artifact.size = output.get("size").and_then(Value::as_u64).or(artifact.size);
        artifact.kind = text("artifact_type").or(artifact.kind);
        artifact.files = output.get("layers").and_then(Value::as_array).map_or(artifact.files, Vec::as_slice);
        // A listing names the subject of the whole list.
        artifact.subject = text("subject_digest").filter(|_| !is_listing).or(artifact.subject);
    }
    for referrer in output.get("referrers").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| referrer.get(name).and_then(Value::as_str);
        let Some(reference) = text("reference") else { continue };
        if let Some(artifact) = artifact(repositories, reference) {
            artifact.kind = text("artifact_type").or(artifact.kind);
            artifact.size = referrer.get("size").and_then(Value::as_u64).or(artifact.size);
            artifact.subject = text("subject").or(artifact.subject);
        }
        // The subject of the whole list has no step of its own where it was there before.
        if let (Some(subject), Some((repository, _))) = (text("subject"), reference.rsplit_once('@')) {
            repositories.entry(repository.to_owned()).or_default().entry(subject.to_owned()).or_default();
        }
    }
}

fn artifact<'a, 'b>(
    repositories: &'b mut BTreeMap<String, Repository<'a>>,
    reference: &str,
) -> Option<&'b mut Artifact<'a>> {
    let reference: Reference = reference.parse().ok()?;
    let digest = reference.digest?.to_string();
    Some(repositories.entry(reference.repository.to_string()).or_default().entry(digest).or_default())
}

/// A manifest and what refers to it. One that is found again is not drawn again, so that circles end.
fn branch<'a>(
    drawn: &mut String,
    artifacts: &Repository<'_>,
    children: &BTreeMap<&str, Vec<&'a str>>,
    digest: &'a str,
    seen: &mut BTreeSet<&'a str>,
    depth: usize,
) {
    let Some(artifact) = artifacts.get(digest).filter(|_| seen.insert(digest)) else { return };
    *drawn += if artifact.gone.is_some() { "<li class=\"gone\">" } else { "<li>" };
    for tag in &artifact.tags {
        drawn.extend(["<b class=\"tag\">", &escape::line(tag), "</b> "]);
    }
    if let Some(kind) = artifact.kind {
        drawn.extend(["<span class=\"type\">", &escape::line(kind), "</span> "]);
    }
    *drawn += &copied(digest, digest);
    if let Some(size) = artifact.size {
        drawn.extend([" <small>", &text::bytes(size), "</small>"]);
    }
    for step in artifact.steps.iter().take(3).chain(&artifact.gone) {
        let (index, name) = (step.id.index().to_string(), escape::line(step.id.name()));
        drawn.extend([" <a class=\"", step.word(), "\" href=\"#s", &index, "\">", &name, "</a>"]);
    }
    files(drawn, artifact.files);
    let below = children.get(digest).map(Vec::as_slice).unwrap_or_default();
    if !below.is_empty() && depth > 0 {
        *drawn += "\n<ul>\n";
        for child in below {
            branch(drawn, artifacts, children, child, seen, depth - 1);
        }
        *drawn += "</ul>\n";
    } else if !below.is_empty() {
        *drawn += " and more levels";
    }
    *drawn += "</li>\n";
}

fn files(drawn: &mut String, files: &[Value]) {
    if files.is_empty() {
        return;
    }
    drawn.extend(["<details class=\"files\"><summary>", &text::count(files.len(), "layer"), "</summary><ul>"]);
    for file in files.iter().take(FILES) {
        let text = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default();
        let size = file.get("size").and_then(Value::as_u64).map(text::bytes).unwrap_or_default();
        let name = if text("name").is_empty() { text("media_type") } else { text("name") };
        drawn.extend([
            "<li>",
            &escape::line(name),
            " ",
            &copied(text("digest"), text("digest")),
            " <small>",
            &size,
            "</small></li>",
        ]);
    }
    if files.len() > FILES {
        drawn.extend(["<li>and ", &(files.len() - FILES).to_string(), " more</li>"]);
    }
    *drawn += "</ul></details>";
}
