use std::collections::BTreeMap;

use super::Lock;
use crate::{
    oci::Reference,
    preview::{Preview, Verdict},
    program::Program,
    step::{Access, Pins, Thing},
};

/// The kinds that only look: what they name was made by others.
const LOOKING: &[&str] = &["assert", "discover", "inspect", "list_tags", "pull", "verify"];

/// The lock that follows from a preview and from where tags pointed in it.
pub fn find(program: &Program, preview: &Preview, pins: &Pins) -> Lock {
    let written: Vec<&Thing> = program
        .steps()
        .iter()
        .flat_map(|step| step.effects.touches())
        .filter(|(access, _)| *access != Access::Read)
        .map(|(_, thing)| thing)
        .collect();
    let mut references: BTreeMap<_, _> = program.plans().clone();
    for (repository, tag, digest) in pins.resolved() {
        let thing = Thing::tag(&repository, &tag);
        if !written.iter().any(|written| written.contains(&thing)) {
            let repository = program.places().shown(&repository);
            references.insert(Reference::by_tag(repository, tag).to_string(), digest);
        }
    }
    let makes = preview.steps.iter().filter(|step| {
        !LOOKING.contains(&step.kind.as_str())
            && !matches!(step.change, Verdict::Unknown | Verdict::Skip | Verdict::Fail)
    });
    let steps = makes.filter_map(|step| Some((step.step.clone(), step.digest.clone()?))).collect();
    Lock { consign_lock: Lock::VERSION, references, steps }
}
