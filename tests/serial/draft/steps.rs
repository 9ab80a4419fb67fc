//! A step of each kind, and what there is after it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Draft, REPOSITORIES, TAGS};

impl Draft {
    pub(super) fn push(&mut self, step: usize) {
        self.kind("push");
        let repository = self.pick(3);
        let name = self.repository(repository);
        let content = self.pick(3);
        let if_exists = self.if_exists();
        let mut id = format!("content {content}");
        let mut text = format!("content {content}");
        if self.one_in(8) && !self.named.is_empty() {
            let named = self.named.clone();
            let (other, ..) = self.choose(&named).unwrap();
            text = format!("about ${{{{ steps.s{other}.digest }}}}");
            id = format!("about {other}");
        }
        if self.one_in(8) {
            self.line(&format!("to: \"{name}\""));
            self.world[repository].manifests.insert(id.clone(), None);
        } else {
            let (tag, known) = self.tag();
            self.line(&format!("to: \"{name}:{tag}\""));
            let kept = self.point(repository, known.clone(), id.clone(), if_exists);
            if kept == id {
                self.world[repository].manifests.insert(id.clone(), None);
            }
            id = kept;
            self.tagged.push(step);
            let lists = self.listed.clone();
            if known.is_some() && if_exists == "replace" && self.one_in(8) && !lists.is_empty() {
                let (list, _) = self.choose(&lists).unwrap();
                self.line(&format!("tags: \"${{{{ steps.s{list}.tags }}}}\""));
            } else if known.is_some() && if_exists == "replace" && self.one_in(6) {
                let more = TAGS[self.pick(3)];
                self.line(&format!("tags: [{more}]"));
                self.world[repository].tags.insert(more.to_owned(), id.clone());
            }
        }
        self.line(&format!("files: [{{ name: f{}, content: \"{text}\" }}]", content % 2));
        self.named.push((step, repository, id));
    }

    /// A push of each of several tags with something attached to it, and now and then a step for each item of such a loop.
    pub(super) fn items(&mut self, step: usize) {
        let loops = self.looped.clone();
        if let Some((of, keys)) = self.choose(&loops)
            && self.one_in(2)
        {
            let repository = REPOSITORIES[self.pick(3)];
            let _ = writeln!(self.steps, "    foreach: [{}]", keys.join(", "));
            self.kind("copy");
            self.line(&format!("from: \"${{{{ steps.s{of}[item].p.reference }}}}\""));
            self.line(&format!("to: \"{repository}:s{step}-${{{{ item }}}}\""));
            return;
        }
        let repository = self.pick(3);
        let name = self.repository(repository);
        let keys = TAGS[..=self.pick(3)].to_vec();
        let limit = if self.one_in(3) { ", max_parallel: 1" } else { "" };
        // All of one tag, or each of its own; of the same content or not.
        let one_tag = self.one_in(3);
        let content = if self.one_in(3) { "content 0" } else { "of ${{ tag }}" };
        let to = if one_tag { "v1" } else { "${{ tag }}" };
        let _ = writeln!(self.steps, "    foreach: {{ in: [{}], as: tag{limit} }}", keys.join(", "));
        let _ = writeln!(self.steps, "    steps:\n      - id: p");
        let files = format!("files: [{{ name: f, content: \"{content}\" }}]");
        let _ = writeln!(self.steps, "        push: {{ to: \"{name}:{to}\", if_exists: replace, {files} }}");
        let _ = writeln!(self.steps, "      - id: a\n        attach:");
        let _ = writeln!(
            self.steps,
            "          subject: \"${{{{ steps.p.reference }}}}\"\n          artifact_type: test/t0"
        );
        let _ = writeln!(self.steps, "          files: [{{ name: r, content: \"${{{{ tag }}}}\" }}]");
        for key in &keys {
            let id = content.replace("${{ tag }}", key);
            let tag = if one_tag { "v1" } else { key };
            self.world[repository].manifests.insert(id.clone(), None);
            self.world[repository].manifests.insert(format!("{key} on ({id})"), Some(id.clone()));
            self.world[repository].tags.insert(tag.to_owned(), id);
        }
        self.looped.push((step, keys));
    }

    pub(super) fn attach(&mut self, step: usize) {
        let Some(subject) = self.manifest() else { return self.push(step) };
        self.kind("attach");
        let (content, kind) = (self.pick(3), self.pick(2));
        self.line(&format!("subject: \"{}\"", subject.text));
        self.line(&format!("artifact_type: test/t{kind}"));
        self.line(&format!("files: [{{ name: r{content}, content: \"{content}\" }}]"));
        let id = format!("{content} {kind} on ({})", subject.id);
        self.world[subject.repository].manifests.insert(id.clone(), Some(subject.id));
        self.named.push((step, subject.repository, id));
    }

    pub(super) fn discover(&mut self, step: usize) {
        let Some(subject) = self.manifest() else { return self.push(step) };
        self.kind("discover");
        self.line(&format!("subject: \"{}\"", subject.text));
        let referrers = self.world[subject.repository].referrers(&subject.id);
        match self.pick(4) {
            0 => self.line("artifact_type: test/t0"),
            1 => {}
            _ => {
                let expect = match referrers.len() {
                    _ if self.one_in(16) => "7".to_owned(),
                    0 => "none".to_owned(),
                    count if self.pick(2) == 0 => count.to_string(),
                    _ => "some".to_owned(),
                };
                self.line(&format!("expect: {expect}"));
                if let (Some(only), "1") = (referrers.first(), expect.as_str()) {
                    self.steps = self.steps.trim_end().trim_end_matches('1').to_owned();
                    self.steps.push_str("one\n");
                    self.named.push((step, subject.repository, only.clone()));
                }
            }
        }
        let print = ["tree", "json", "table"][self.pick(3)];
        self.line(&format!("print: {print}"));
        self.counted.push(step);
    }

    pub(super) fn copy(&mut self, step: usize) {
        let Some(from) = self.manifest() else { return self.push(step) };
        self.kind("copy");
        let to = self.pick(3);
        let name = self.repository(to);
        self.line(&format!("from: \"{}\"", from.text));
        let if_exists = self.if_exists();
        let (tag, known) = if self.one_in(6) {
            (name.to_owned(), None)
        } else {
            let (tag, known) = self.tag();
            (format!("{name}:{tag}"), known)
        };
        self.line(&format!("to: \"{tag}\""));
        // What is left out is not counted on: it is there from before, or not.
        let referrers = match self.pick(8) {
            0 => "referrers: none",
            1 => "referrers: { include: [{ artifact_type: test/t0 }] }",
            2 => "referrers: { exclude: [{ artifact_type: \"*/t1\" }], depth: 2 }",
            3 => "referrers: { depth: 1 }",
            _ => "",
        };
        let with_referrers = referrers.is_empty();
        if !with_referrers {
            self.line(referrers);
        }
        if self.one_in(8) {
            self.line("digest_tags: true");
        }
        if known.is_some() && if_exists == "replace" && self.one_in(4) {
            let more = TAGS[self.pick(3)];
            self.line(&format!("tags: [{more}]"));
            self.world[to].tags.insert(more.to_owned(), from.id.clone());
        }
        let id = self.point(to, known, from.id.clone(), if_exists);
        if id == from.id {
            let mut moved = BTreeSet::from([id.clone()]);
            if with_referrers {
                moved.extend(self.world[from.repository].referrers(&id));
            }
            for id in moved {
                let about = self.world[from.repository].manifests.get(&id).cloned().unwrap_or_default();
                self.world[to].manifests.insert(id, about);
            }
        }
        self.named.push((step, to, id));
    }

    /// Copies the tags of a repository that are chosen.
    pub(super) fn mirror(&mut self, step: usize) {
        let (from, to) = (self.pick(3), self.pick(3));
        let (select, skipped) = match self.pick(3) {
            0 => ("{ match: \"v*\" }", ""),
            1 => ("{ match: [\"v?\", \"!v2\"] }", "v2"),
            _ => ("{ match: [\"*\", \"!v1\"] }", "v1"),
        };
        let tags = self.world[from].tags.iter().filter(|(tag, _)| *tag != skipped);
        let tags: Vec<_> = tags.map(|(tag, id)| (tag.clone(), id.clone())).collect();
        if tags.is_empty() {
            return self.push(step);
        }
        self.kind("copy");
        let (source, target) = (self.repository(from), self.repository(to));
        self.line(&format!("from: \"{source}\""));
        self.line(&format!("to: \"{target}\""));
        self.line(&format!("select: {select}"));
        let if_exists = self.if_exists();
        for (tag, id) in tags {
            if self.point(to, Some(tag), id.clone(), if_exists) != id {
                continue;
            }
            let moved = self.world[from].referrers(&id).into_iter().chain([id]);
            for id in moved.collect::<Vec<_>>() {
                let about = self.world[from].manifests.get(&id).cloned().unwrap_or_default();
                self.world[to].manifests.insert(id, about);
            }
        }
        self.listed.push((step, 1));
    }

    /// Puts manifests together, from wherever they are.
    pub(super) fn index(&mut self, step: usize) {
        let (Some(one), Some(two)) = (self.manifest(), self.manifest()) else { return self.push(step) };
        self.kind("index");
        let to = self.pick(3);
        let name = self.repository(to);
        let (tag, known) = self.tag();
        self.line(&format!("to: \"{name}:{tag}\""));
        let if_exists = self.if_exists();
        self.line(&format!("annotations: {{ made: by s{} }}", step % 3));
        self.line("manifests:");
        let mut listed = vec![(one, "linux/amd64")];
        if self.one_in(2) {
            listed.push((two, "linux/arm64"));
        }
        for (manifest, platform) in &listed {
            self.line(&format!("  - {{ reference: \"{}\", platform: {platform} }}", manifest.text));
        }
        let children: Vec<_> = listed.iter().map(|(manifest, _)| manifest.id.clone()).collect();
        let id = format!("{} of {}", step % 3, children.join(" and "));
        let kept = self.point(to, known, id.clone(), if_exists);
        if kept == id {
            children.into_iter().chain([id]).for_each(|id| {
                self.world[to].manifests.entry(id).or_insert(None);
            });
        }
        self.tagged.push(step);
        self.named.push((step, to, kept));
    }

    pub(super) fn retag(&mut self, step: usize) {
        let Some(from) = self.manifest() else { return self.push(step) };
        self.kind("tag");
        self.line(&format!("from: \"{}\"", from.text));
        let if_exists = self.if_exists();
        let lists = self.listed.clone();
        if self.one_in(4) && !lists.is_empty() {
            let (list, _) = self.choose(&lists).unwrap();
            self.line(&format!("tags: \"${{{{ steps.s{list}.tags }}}}\""));
        } else {
            let (tag, known) = self.tag();
            self.line(&format!("tags: [\"{tag}\"]"));
            self.point(from.repository, known, from.id.clone(), if_exists);
        }
        self.named.push((step, from.repository, from.id));
    }

    pub(super) fn list_tags(&mut self, step: usize) {
        self.kind("list_tags");
        let repository = self.pick(3);
        let name = self.repository(repository);
        self.line(&format!("repository: \"{name}\""));
        self.line("print: true");
        let tags: Vec<_> = self.world[repository].tags.keys().cloned().collect();
        if self.one_in(4)
            && let Some(tag) = self.choose(&tags)
        {
            self.line(&format!("contains: [{tag}]"));
        }
        self.listed.push((step, tags.len()));
    }

    pub(super) fn delete(&mut self, step: usize) {
        let Some(gone) = self.manifest() else { return self.push(step) };
        self.kind("delete");
        let world = &self.world[gone.repository];
        let others = world.tags.iter().any(|(tag, id)| *id == gone.id && Some(tag) != gone.tag.as_ref());
        let referrers = world.referrers(&gone.id);
        self.line(&format!("reference: \"{}\"", gone.text));
        if others || self.one_in(2) {
            self.line("all_tags: true");
        }
        if self.one_in(2) {
            self.line("graph: true");
            for referrer in referrers {
                self.world[gone.repository].remove(&referrer);
            }
        }
        self.world[gone.repository].remove(&gone.id);
    }

    pub(super) fn untag(&mut self, _: usize) {
        self.kind("delete");
        let repository = self.pick(3);
        let name = self.repository(repository);
        let (tag, known) = self.tag();
        self.line(&format!("reference: \"{name}:{tag}\""));
        self.line("tag_only: true");
        if let Some(known) = known {
            self.world[repository].tags.remove(&known);
        }
    }

    pub(super) fn assert(&mut self, step: usize) {
        let Some(there) = self.manifest() else { return self.push(step) };
        self.kind("assert");
        self.line(&format!("present: [\"{}\"]", there.text));
        let (repository, tag) = (self.pick(3), TAGS[self.pick(3)]);
        if !self.world[repository].tags.contains_key(tag) {
            let name = self.repository(repository);
            self.line(&format!("absent: [\"{name}:{tag}\"]"));
        }
        let counted = self.counted.clone();
        if let Some(count) = self.choose(&counted) {
            let limit = u8::from(self.one_in(8));
            self.line(&format!("that: [\"${{{{ steps.s{count}.count >= {limit} }}}}\"]"));
        }
    }

    pub(super) fn inspect(&mut self, step: usize) {
        let Some(manifest) = self.manifest() else { return self.push(step) };
        self.kind("inspect");
        self.line(&format!("reference: \"{}\"", manifest.text));
        self.line("print: manifest");
        self.named.push((step, manifest.repository, manifest.id));
    }

    pub(super) fn pull(&mut self, step: usize) {
        let Some(manifest) = self.manifest() else { return self.push(step) };
        self.kind("pull");
        self.line(&format!("from: \"{}\"", manifest.text));
        let folder = ["out", "out/deep", "out/deep/er", "other"][self.pick(4)];
        self.line(&format!("to: {folder}"));
        self.if_exists();
        self.line("print: tree");
        self.named.push((step, manifest.repository, manifest.id));
    }
}
