//! What whoever runs a program must be allowed to do in each repository.

use std::collections::BTreeMap;

use super::Program;
use crate::{
    event::Rights,
    oci::Repository,
    step::{Access, Thing},
};

impl Program {
    /// What the steps that are to run need, by the identity of each repository that is known before the run.
    pub fn rights(&self) -> BTreeMap<Repository, Rights> {
        let mut rights: BTreeMap<Repository, Rights> = BTreeMap::new();
        let steps = self.steps.iter().enumerate().filter(|(step, _)| !self.skip.contains(step));
        for (_, step) in steps {
            for (access, thing) in step.effects.touches() {
                let Some(repository) = thing.in_repository() else { continue };
                // Who adds tags appends to their list; only who takes some away writes it.
                let list = Thing::tag_list(&repository);
                let takes_away = |(access, thing): &(Access, Thing)| *access == Access::Write && thing.contains(&list);
                let needed = match access {
                    Access::Read => Rights::PULL,
                    _ if step.effects.touches().iter().any(takes_away) => Rights::DELETE,
                    Access::Append | Access::Write => Rights::PUSH,
                };
                let known = rights.entry(repository).or_default();
                *known = *known | needed;
            }
        }
        rights
    }
}
