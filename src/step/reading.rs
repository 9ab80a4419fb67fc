//! What steps that look at a manifest have in common.

use super::{Access, Effects, Places, Thing};
use crate::{
    oci::{ArchiveForm, Reference, Repository},
    plan::{Diagnostic, yaml::Spanned},
};

/// Looking at a manifest: its tag, where it is named by one, and the graph.
pub(super) fn read_effects(effects: Effects, reference: &Reference, places: &Places) -> Effects {
    let repository = places.repository(&reference.repository);
    let effects = match (&reference.tag, &reference.digest) {
        (Some(tag), None) => effects.read(Thing::tag(&repository, tag)),
        _ => effects,
    };
    on_disk(effects, Access::Read, &repository).read(Thing::graph(&repository))
}

/// The same effects, and where the repository is on this machine, those on its files: programs, pulls and pushes touch files
/// too. Only who may remove something writes: steps that add keep out of each other's way.
pub(super) fn on_disk(effects: Effects, access: Access, repository: &Repository) -> Effects {
    match (repository.path().map(Thing::path), access) {
        (None, _) => effects,
        (Some(path), Access::Read) => effects.read(path),
        (Some(path), Access::Append) => effects.append(path),
        (Some(path), Access::Write) => effects.write(path),
    }
}

/// Adding a referrer to a manifest: its tag is looked at, the graph grows.
pub(super) fn append_effects(effects: Effects, subject: &Reference, places: &Places) -> Effects {
    let repository = places.repository(&subject.repository);
    let effects = match (&subject.tag, &subject.digest) {
        (Some(tag), None) => effects.read(Thing::tag(&repository, tag)),
        _ => effects,
    };
    on_disk(effects, Access::Append, &repository).append(Thing::graph(&repository))
}

/// What is wrong with a reference to a manifest, where something is added to its repository or taken from it.
pub(super) fn check_changed(reference: &Spanned<Reference>) -> Option<Diagnostic> {
    check_writable(reference).or_else(|| check_subject(reference))
}

/// What is wrong with writing to a repository, where nothing can be written to one of its form.
pub(super) fn check_writable(reference: &Spanned<Reference>) -> Option<Diagnostic> {
    let Repository::Archive { form: ArchiveForm::Docker, path } = &reference.repository else { return None };
    let diagnostic = Diagnostic::new("`docker-archive:` is only read").at(reference.span);
    Some(diagnostic.label(format!("write to `oci-archive:{}`", path.display())))
}

/// What is wrong with a reference that must name a manifest.
pub(super) fn check_subject(reference: &Spanned<Reference>) -> Option<Diagnostic> {
    if reference.target().is_some() || reference.repository.is_archive() {
        return None;
    }
    let message = format!("`{}` names a repository, not a manifest", reference.value);
    Some(Diagnostic::new(message).at(reference.span).label("add `:tag` or `@digest`"))
}

/// What is wrong with a reference that must name a repository.
pub(super) fn check_repository(reference: &Spanned<Reference>) -> Option<Diagnostic> {
    let target = reference.target()?;
    let message = format!("`{}` names a manifest, not a repository", reference.value);
    Some(Diagnostic::new(message).at(reference.span).label(format!("leave `{target}` out")))
}
