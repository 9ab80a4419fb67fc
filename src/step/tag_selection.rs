//! Choosing among the tags of a repository: by globs, by ranges of versions, and by how new they are.

use std::fmt;

use globset::{Glob, GlobSet, GlobSetBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use semver::{Version, VersionReq};
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess},
};

use crate::{
    oci::Tag,
    plan::{Diagnostic, yaml::Spanned},
};

/// One glob or several; one that begins with `!` takes away what it matches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globs(Vec<String>);

/// A tag is chosen when everything that is given holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct TagSelection<'a> {
    pub(super) globs: Option<&'a Spanned<Globs>>,
    pub(super) semver: Option<&'a Spanned<String>>,
    pub(super) newest: Option<usize>,
}

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Globs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a glob or a list of globs")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Globs, E> {
                Ok(Globs(vec![text.to_owned()]))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Globs, E> {
                Ok(Globs(vec![number.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Globs, A::Error> {
                let mut globs = Vec::new();
                while let Some(glob) = list.next_element()? {
                    globs.push(glob);
                }
                Ok(Globs(globs))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Globs {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Globs".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One glob or several; one that begins with `!` takes away what it matches.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

impl Globs {
    /// What is to match, and what is taken away.
    fn compile(&self) -> Result<(GlobSet, GlobSet, bool), String> {
        let (mut wanted, mut unwanted) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let mut all_are_unwanted = !self.0.is_empty();
        for text in &self.0 {
            let (set, pattern) = if let Some(pattern) = text.strip_prefix('!') {
                (&mut unwanted, pattern)
            } else {
                all_are_unwanted = false;
                (&mut wanted, text.as_str())
            };
            let glob = Glob::new(pattern).map_err(|error| format!("`{text}` is not a glob: {}", error.kind()))?;
            set.add(glob);
        }
        let build = |set: GlobSetBuilder| set.build().map_err(|error| error.to_string());
        Ok((build(wanted)?, build(unwanted)?, all_are_unwanted))
    }
}

impl TagSelection<'_> {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Vec<Diagnostic> {
        let globs = self.globs.and_then(|globs| Some((globs.compile().err()?, globs.span)));
        let globs = globs.map(|(message, span)| Diagnostic::new(message).at(span));
        let semver = self.semver.and_then(|semver| {
            let message = format!("`{}` is not a range of versions: {}", semver.value, ranges(semver).err()?);
            Some(Diagnostic::new(message).at(semver.span).label("write `>=1.2, <2`, `1.4.*` or `^1 || ^2`"))
        });
        globs.into_iter().chain(semver).collect()
    }

    /// The chosen ones: by version from the lowest where versions are asked for, otherwise in the order in which they came.
    /// Where versions are asked for, a tag that is none is not chosen; nor is a pre-release, unless a range names one.
    pub(super) fn choose(&self, tags: Vec<Tag>) -> Vec<Tag> {
        let mut tags = tags;
        if let Some(Ok((wanted, unwanted, only_unwanted))) = self.globs.map(|globs| globs.compile()) {
            tags.retain(|tag| (only_unwanted || wanted.is_match(tag.as_str())) && !unwanted.is_match(tag.as_str()));
        }
        if self.semver.is_none() && self.newest.is_none() {
            return tags;
        }
        let ranges = self.semver.map_or_else(|| Ok(vec![VersionReq::STAR]), |semver| ranges(semver));
        let ranges = ranges.unwrap_or_default();
        let mut versions: Vec<_> = tags
            .into_iter()
            .filter_map(|tag| Some((version(&tag)?, tag)))
            .filter(|(version, _)| ranges.iter().any(|range| range.matches(version)))
            .collect();
        versions.sort();
        let skipped = self.newest.map_or(0, |newest| versions.len().saturating_sub(newest));
        versions.into_iter().skip(skipped).map(|(_, tag)| tag).collect()
    }
}

/// `1.4.0` and `v1.4.0` are versions; `1.4` moves, and is none.
fn version(tag: &Tag) -> Option<Version> {
    let text = tag.as_str();
    Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()
}

fn ranges(text: &str) -> Result<Vec<VersionReq>, semver::Error> {
    text.split("||").map(|range| VersionReq::parse(range.trim())).collect()
}

/// Whether the tag belongs to a digest: what is kept beside a manifest, not for people.
pub(super) fn is_of_digest(tag: &Tag) -> bool {
    let hex = tag.as_str().strip_prefix("sha256-").and_then(|rest| rest.get(..64));
    tag.is_of_referrers() || hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Span;

    fn at<T>(value: T) -> Spanned<T> {
        Spanned::new(value, Span::new(0, 0))
    }

    #[track_caller]
    fn chosen(globs: &[&str], semver: Option<&str>, newest: Option<usize>, expected: &[&str]) {
        let tags = ["1.10.0", "1.2.0", "1.9.1", "2.0.0-rc.1", "3.0.0", "latest", "v1.3.0", "1.9"];
        let globs = at(Globs(globs.iter().map(|&glob| glob.to_owned()).collect()));
        let semver = semver.map(|semver| at(semver.to_owned()));
        let given = Some(&globs).filter(|globs| !globs.0.is_empty());
        let selection = TagSelection { globs: given, semver: semver.as_ref(), newest };
        assert!(selection.check().is_empty());
        let chosen = selection.choose(tags.iter().map(|tag| tag.parse().unwrap()).collect());
        assert_eq!(chosen.iter().map(Tag::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn globs_choose_and_take_away() {
        chosen(&["1.*"], None, None, &["1.10.0", "1.2.0", "1.9.1", "1.9"]);
        chosen(&["*", "!*rc*", "!1.*"], None, None, &["3.0.0", "latest", "v1.3.0"]);
        chosen(&["!1.*"], None, None, &["2.0.0-rc.1", "3.0.0", "latest", "v1.3.0"]);
    }

    #[test]
    fn versions_are_ordered_and_pre_releases_are_asked_for_by_name() {
        chosen(&[], Some(">=1.3, <2"), None, &["v1.3.0", "1.9.1", "1.10.0"]);
        chosen(&[], Some("~1.2 || ^3"), None, &["1.2.0", "3.0.0"]);
        chosen(&[], Some(">=2.0.0-rc.0"), None, &["2.0.0-rc.1", "3.0.0"]);
        chosen(&[], None, Some(2), &["1.10.0", "3.0.0"]);
        chosen(&["v*"], None, Some(2), &["v1.3.0"]);
    }

    #[test]
    fn what_is_no_range_says_what_would_be() {
        let semver = at("latest".to_owned());
        let said = TagSelection { globs: None, semver: Some(&semver), newest: None }.check();
        assert_eq!(said.len(), 1);
        assert!(said[0].message.starts_with("`latest` is not a range of versions: "), "{}", said[0].message);
    }

    #[test]
    fn tags_of_digests_are_told_from_those_for_people() {
        let hex = "0".repeat(64);
        for (tag, expected) in
            [(format!("sha256-{hex}"), true), (format!("sha256-{hex}.sig"), true), ("sha256-x".to_owned(), false)]
        {
            assert_eq!(is_of_digest(&tag.parse().unwrap()), expected, "{tag}");
        }
    }
}
