//! What steps that look at a manifest have in common.

use super::{Effects, Places, Thing};
use crate::{
    oci::Reference,
    plan::{Diagnostic, yaml::Spanned},
};

/// Looking at a manifest: its tag, where it is named by one, and the graph.
pub(super) fn read_effects(effects: Effects, reference: &Reference, places: &Places) -> Effects {
    let repository = places.repository(&reference.repository);
    let effects = match (&reference.tag, &reference.digest) {
        (Some(tag), None) => effects.read(Thing::tag(&repository, tag)),
        _ => effects,
    };
    effects.read(Thing::graph(&repository))
}

/// Adding a referrer to a manifest: its tag is looked at, the graph grows.
pub(super) fn append_effects(effects: Effects, subject: &Reference, places: &Places) -> Effects {
    let repository = places.repository(&subject.repository);
    let effects = match (&subject.tag, &subject.digest) {
        (Some(tag), None) => effects.read(Thing::tag(&repository, tag)),
        _ => effects,
    };
    effects.append(Thing::graph(&repository))
}

/// What is wrong with a reference that must name a manifest.
pub(super) fn check_subject(reference: &Spanned<Reference>) -> Option<Diagnostic> {
    if reference.target().is_some() {
        return None;
    }
    let message = format!("`{}` names a repository, not a manifest", reference.value);
    Some(Diagnostic::new(message).at(reference.span).label("add `:tag` or `@digest`"))
}
