use crate::{
    oci::Reference,
    plan::{Diagnostic, yaml::Spanned},
    step::{
        Access, Effects, Places, Thing,
        reading::{on_disk, read_effects},
    },
};

/// The same effects, with those of reading what `named` says: a reference, or a path relative to the work folder.
pub(super) fn read(effects: Effects, named: &str, places: &Places) -> Effects {
    match reference(named) {
        Some(reference) if reference.target().is_some() => read_effects(effects, &reference, places),
        Some(reference) => {
            let repository = places.repository(&reference.repository);
            let effects = on_disk(effects, Access::Read, &repository).read(Thing::repository(&repository));
            if repository.is_registry() { effects.read(Thing::path(&places.work(named))) } else { effects }
        }
        None => effects.read(Thing::path(&places.work(named))),
    }
}

/// The same, of writing it.
pub(super) fn write(effects: Effects, named: &str, places: &Places) -> Effects {
    let path = || Thing::path(&places.target(named).unwrap_or_else(|_| places.workdir.clone()));
    let Some(reference) = reference(named) else { return effects.write(path()) };
    let repository = places.repository(&reference.repository);
    let effects = on_disk(effects, Access::Write, &repository);
    match (&reference.tag, reference.target()) {
        (Some(tag), _) => {
            let effects = effects.write(Thing::tag(&repository, tag)).write(Thing::graph(&repository));
            effects.append(Thing::tag_list(&repository))
        }
        (None, Some(_)) => effects.write(Thing::graph(&repository)),
        // What looks like a repository may be a path too: it counts as both.
        (None, None) if repository.is_registry() => effects.write(Thing::repository(&repository)).write(path()),
        (None, None) => effects.write(Thing::repository(&repository)),
    }
}

/// What is wrong with a path that is to be written.
pub(super) fn check_write(named: &Spanned<String>, places: &Places) -> Option<Diagnostic> {
    if reference(named).is_some() {
        return None;
    }
    let error = places.target(named).err()?;
    Some(Diagnostic::new(error.to_string()).at(named.span))
}

/// The reference that `named` is. What begins with `.` or `/` is a path.
pub(super) fn reference(named: &str) -> Option<Reference> {
    if named.starts_with(['.', '/']) { None } else { named.parse().ok() }
}
