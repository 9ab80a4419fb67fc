//! What the manifests of artifacts have in common, however they come to be.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use crate::{
    oci::{Descriptor, annotation, media_type},
    plan::{Diagnostic, yaml::Spanned},
};

/// The fields of what is made that say what is in it.
pub(super) const CONTENT: &[&str] =
    &["content", "json", "name", "media_type", "annotations", "artifact_type", "created"];

/// The plan's annotations, and when it was made, if that is known.
pub(super) fn annotations(
    given: &BTreeMap<String, String>,
    created: Option<&Spanned<String>>,
    epoch: Option<u64>,
) -> BTreeMap<String, String> {
    let mut annotations = given.clone();
    if let Some(created) = self::created(created, epoch) {
        annotations.entry(annotation::CREATED.to_owned()).or_insert(created);
    }
    annotations
}

/// What is wrong with an artifact type.
pub(super) fn check_artifact_type(given: Option<&Spanned<String>>) -> Option<Diagnostic> {
    let given = given.filter(|given| !media_type::is_valid(given))?;
    let message = format!("`{}` is not an artifact type: write `type/subtype`", given.value);
    Some(Diagnostic::new(message).at(given.span))
}

/// When something was made, RFC 3339: as the plan says, or by `SOURCE_DATE_EPOCH`.
pub(super) fn created(given: Option<&Spanned<String>>, epoch: Option<u64>) -> Option<String> {
    let from_epoch = || Timestamp::from_second(i64::try_from(epoch?).ok()?).ok().map(|time| time.to_string());
    given.map(|given| given.value.clone()).or_else(from_epoch)
}

/// What is wrong with a time.
pub(super) fn check_created(given: Option<&Spanned<String>>) -> Option<Diagnostic> {
    let given = given.filter(|given| given.parse::<Timestamp>().is_err())?;
    let message = format!("`{}` is not a time: write it as `2026-01-31T12:00:00Z`", given.value);
    Some(Diagnostic::new(message).at(given.span))
}

/// A layer as an output has it.
pub(super) fn describe(layer: &Descriptor) -> serde_json::Value {
    json!({
        "name": layer.title(),
        "digest": layer.digest.to_string(),
        "media_type": layer.media_type,
        "size": layer.size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Span;

    #[test]
    fn a_time_comes_from_the_plan_or_from_the_epoch_or_from_nowhere() {
        let given = Spanned::new("2026-01-01T00:00:00Z".to_owned(), Span::new(0, 0));
        assert_eq!(created(None, None), None);
        assert_eq!(created(None, Some(951_827_696)).as_deref(), Some("2000-02-29T12:34:56Z"));
        assert_eq!(created(Some(&given), Some(0)).as_deref(), Some("2026-01-01T00:00:00Z"));
        assert!(check_created(Some(&given)).is_none());
        assert!(check_created(Some(&Spanned::new("yesterday".to_owned(), Span::new(0, 0)))).is_some());
    }
}
