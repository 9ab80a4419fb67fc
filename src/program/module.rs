use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use globset::GlobMatcher;

use super::allowed::{Allowed, Refusal};
use crate::{
    plan::Document,
    step::{Places, Step},
};

/// A plan of a program: the one that runs, or one that it includes.
#[derive(Debug, Clone)]
pub(super) struct Module {
    /// What its names begin with.
    pub(super) prefix: Arc<str>,
    /// The plan that includes it, by its place among all; nothing for the one that runs.
    pub(super) parent: Option<usize>,
    /// What its paths are relative to, where that is not the folder of the plan that runs.
    pub(super) folder: Option<PathBuf>,
    /// What it may do, where it says so.
    pub(super) allowed: Option<Allowed>,
}

/// The plan that runs, and behind it those that it includes.
pub(super) fn all(document: &Document, own: Option<Allowed>, included: Vec<Option<Allowed>>) -> Vec<Module> {
    let plan = Module { prefix: Arc::clone(document.prefix(0)), parent: None, folder: None, allowed: own };
    let included = document.included.iter().zip(included).map(|(included, allowed)| Module {
        prefix: Arc::clone(&included.prefix),
        parent: Some(included.parent),
        folder: Some(included.folder.clone()),
        allowed,
    });
    std::iter::once(plan).chain(included).collect()
}

/// What a plan and everybody around it let run, a list for each that says so.
pub(super) fn programs(modules: &[Module], module: usize) -> Vec<Arc<[GlobMatcher]>> {
    around(modules, module).filter_map(|module| Some(Arc::clone(module.allowed.as_ref()?.programs()))).collect()
}

/// A plan, and one after the other those that include it.
fn around(modules: &[Module], module: usize) -> impl Iterator<Item = &Module> {
    std::iter::successors(modules.get(module), |module| modules.get(module.parent?))
}

/// The first thing that a step of a plan would do and may not: nobody may do more than whoever includes it, and less where
/// it says so itself.
pub(super) fn refuses(modules: &[Module], module: usize, step: &dyn Step, places: &Places) -> Option<Refusal> {
    for module in around(modules, module) {
        if let Some(refusal) = module.allowed.as_ref().and_then(|allowed| allowed.refuses(step, places)) {
            return Some(refusal.of(&module.prefix));
        }
        // Only the plan that runs opens places outside of the work folder; the others narrow that.
        if let Some((allowed, _)) = module.allowed.as_ref().zip(module.parent) {
            let written = step.effects(places);
            let paths = written.touches().iter().filter(|(access, _)| *access != crate::step::Access::Read);
            let outside = |path: &Path| !path.starts_with(&places.workdir) && !allowed.has_file(path);
            if let Some(path) = paths.filter_map(|(_, thing)| thing.as_path()).find(|path| outside(path)) {
                return Some(Refusal::file(&path).of(&module.prefix));
            }
        }
    }
    None
}
