use std::collections::BTreeMap;

use super::{Record, StepRecord};
use crate::{event::Outcome, oci::Reference, output::Output};

/// Where something changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::report) enum Place {
    /// In a repository.
    Repository(String),
    /// In files of this machine, or where the step does not say.
    Elsewhere,
}

/// A step that changed something there.
#[derive(Debug)]
pub(in crate::report) struct Changed<'a> {
    /// Which.
    pub step: &'a StepRecord,
    /// The word for it.
    pub outcome: &'a Outcome,
    /// What: a tag, a digest or a path; in a repository without the repository's name.
    pub what: String,
    /// The tag that it was given, where `what` is a digest.
    pub tag: Option<&'a str>,
}

/// What changed, by repository.
pub(in crate::report) fn changed(record: &Record) -> BTreeMap<Place, Vec<Changed<'_>>> {
    let mut places: BTreeMap<Place, Vec<Changed<'_>>> = BTreeMap::new();
    for step in &record.steps {
        let Some(outcome) = step.outcome.as_ref().filter(|outcome| outcome.is_change()) else { continue };
        let shown = step.output.as_deref().and_then(Output::shown).unwrap_or(step.id.name());
        let (place, what) = match shown.parse::<Reference>() {
            Ok(reference) => {
                let repository = reference.repository.to_string();
                let rest = shown.strip_prefix(&repository).unwrap_or(shown);
                (Place::Repository(repository.clone()), rest.trim_start_matches([':', '@']).to_owned())
            }
            Err(_) => (Place::Elsewhere, shown.to_owned()),
        };
        let tag = step.output.as_deref().and_then(|output| output.get("tag")).and_then(serde_json::Value::as_str);
        places.entry(place).or_default().push(Changed { step, outcome, what, tag });
    }
    places
}
