use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Globs,
    tag_selection::{TagSelection, is_of_digest},
};
use crate::{
    oci::Tag,
    plan::{Diagnostic, Span, yaml::Spanned},
};

/// Which tags go: those for which everything that is given holds. Tags of digests, such as `sha256-….sig`, are never chosen.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteSelect {
    /// Globs that match a tag; one that begins with `!` takes away what it matches.
    #[serde(rename = "match")]
    #[schemars(with = "Option<Globs>")]
    pub globs: Option<Spanned<Globs>>,
    /// Ranges of versions, such as `<1.4` or `^1 || ^2`. Tags that are no versions stay then.
    #[schemars(with = "Option<String>")]
    pub semver: Option<Spanned<String>>,
    /// So many of the highest versions among them stay. Tags that are no versions stay then, too.
    pub keep_newest: Option<usize>,
}

impl DeleteSelect {
    const fn selection(&self, newest: Option<usize>) -> TagSelection<'_> {
        TagSelection { globs: self.globs.as_ref(), semver: self.semver.as_ref(), newest }
    }

    /// The chosen ones.
    pub(super) fn choose(&self, tags: &[Tag]) -> Vec<Tag> {
        let tags: Vec<_> = tags.iter().filter(|tag| !is_of_digest(tag)).cloned().collect();
        let Some(keep) = self.keep_newest else { return self.selection(None).choose(tags) };
        let kept = self.selection(Some(keep)).choose(tags.clone());
        let versions = self.selection(Some(usize::MAX)).choose(tags);
        versions.into_iter().filter(|tag| !kept.contains(tag)).collect()
    }

    /// What is wrong with it, which stands at `span`.
    pub(super) fn check(&self, span: Span) -> Vec<Diagnostic> {
        let is_empty = self.globs.is_none() && self.semver.is_none() && self.keep_newest.is_none();
        let unsaid = is_empty
            .then(|| Diagnostic::new("`select` says nothing").at(span).label("write `{ match: \"*\" }` for all tags"));
        unsaid.into_iter().chain(self.selection(None).check()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn goes(select: &DeleteSelect, expected: &[&str]) {
        let tags = ["1.0.0", "1.1.0", "v1.2.0", "2.0.0", "2.0.0-rc.1", "pr-7", "latest", "sha256-0.sig"];
        let digest = format!("sha256-{}", "0".repeat(64));
        let tags: Vec<Tag> = tags.iter().copied().chain([digest.as_str()]).map(|tag| tag.parse().unwrap()).collect();
        let chosen = select.choose(&tags);
        assert_eq!(chosen.iter().map(Tag::as_str).collect::<Vec<_>>(), expected);
    }

    fn select(text: &str) -> DeleteSelect {
        let source = crate::plan::SourceFile::new("select", text);
        let node = crate::plan::yaml::parse(&source).unwrap();
        crate::plan::yaml::decode(&node, "select", &mut Vec::new()).unwrap()
    }

    #[test]
    fn what_is_newest_stays_and_so_does_what_is_no_version() {
        goes(&select(r#"{ "keep_newest": 2 }"#), &["1.0.0", "1.1.0"]);
        goes(&select(r#"{ "semver": "<2", "keep_newest": 1 }"#), &["1.0.0", "1.1.0"]);
        goes(&select(r#"{ "keep_newest": 0, "match": ["v*"] }"#), &["v1.2.0"]);
        goes(&select(r#"{ "keep_newest": 9 }"#), &[]);
    }

    #[test]
    fn without_versions_globs_choose() {
        goes(&select(r#"{ "match": ["pr-*", "!pr-1*"] }"#), &["pr-7"]);
        goes(&select(r#"{ "semver": "<1.2" }"#), &["1.0.0", "1.1.0"]);
    }
}
