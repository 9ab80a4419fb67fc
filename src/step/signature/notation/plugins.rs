use crate::{
    sign::notation::{Home, Plugins},
    step::StepContext,
};

/// The plugins of this machine that the plan lets run: signatures and lists of keys name others than the plan does. Nothing
/// where there is no home folder.
pub(super) fn plugins(cx: &StepContext) -> Option<Plugins> {
    Home::of_user().map(|home| home.plugins().only(cx.places.programs.clone()))
}
