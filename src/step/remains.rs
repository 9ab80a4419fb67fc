//! Whether what a step made in an earlier run is still there: asked of tags and manifests, without moving content.

use super::{Access, Step, StepContext, StepError, Thing};
use crate::{
    oci::{Reference, Repository, Target},
    output::Output,
};

/// Whether a thing was overwritten since by what stands later in the plan: what is there then says nothing.
pub type Overwritten<'a> = &'a (dyn Fn(&Thing) -> bool + Send + Sync);

/// What is missing of what `step` made when it handed on `output`, in words.
pub(super) async fn missing<S: Step + ?Sized>(
    step: &S,
    cx: &StepContext,
    output: &Output,
    overwritten: Overwritten<'_>,
) -> Result<Option<String>, StepError> {
    let reference = output.reference().and_then(|reference| reference.parse::<Reference>().ok());
    let brought = |repository: &Repository| {
        let graph = Thing::graph(&cx.places.repository(repository));
        let effects = step.effects(&cx.places);
        let brings = effects.touches().iter().any(|(access, thing)| *access != Access::Read && thing.overlaps(&graph));
        brings && !overwritten(&graph)
    };
    if let Some(reference) = reference.filter(|reference| brought(&reference.repository))
        && cx.find(&reference).await?.is_none()
    {
        return Ok(Some(format!("{reference} is not there any more")));
    }
    for (repository, tag, _) in step.moves() {
        let store = cx.open(repository);
        if overwritten(&Thing::tag(store.repository(), tag)) {
            continue;
        }
        let target = Target::Tag(tag.clone());
        let found = store.resolve(&target).await.map_err(StepError::store("look for", &target))?;
        let name = Reference::by_tag(repository.clone(), tag.clone());
        match found {
            None => return Ok(Some(format!("{name} is not there any more"))),
            Some(found) if Some(&found.digest) != output.digest().as_ref() => {
                return Ok(Some(format!("{name} points elsewhere")));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}
