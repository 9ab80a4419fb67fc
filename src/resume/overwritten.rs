use std::collections::BTreeMap;

use crate::{
    journal::Record,
    program::Program,
    runner::EarlierStep,
    step::{Access, Thing},
};

/// The steps that had begun to overwrite something: what stands before them and was there says nothing any more.
pub(super) struct Writers {
    /// By their place in the file.
    writes: Vec<(usize, Vec<Thing>)>,
}

impl Writers {
    pub(super) fn of(program: &Program, record: &Record) -> Self {
        let began = |name: &str| record.steps.get(name).is_some_and(|step| step.started);
        let steps = program.steps().iter().enumerate().filter(|(_, step)| began(step.id.name()));
        let writes = steps.map(|(at, step)| {
            let writes = step.effects.touches().iter().filter(|(access, _)| *access == Access::Write);
            (at, writes.map(|(_, thing)| thing.clone()).collect::<Vec<_>>())
        });
        Self { writes: writes.filter(|(_, things)| !things.is_empty()).collect() }
    }

    /// What was overwritten of that which the step at that place changed.
    pub(super) fn after(&self, step: usize, program: &Program) -> Vec<Thing> {
        let changed = changed(program, step);
        let later = self.writes.iter().filter(|(at, _)| *at > step).flat_map(|(_, things)| things);
        later.filter(|thing| changed.iter().any(|own| own.overlaps(thing))).cloned().collect()
    }
}

/// A step that runs again though it had ended needs things as they were before it. What was overwritten of them since is
/// made again, and then overwritten again.
pub(super) fn spread(program: &Program, writers: &Writers, steps: &mut BTreeMap<usize, EarlierStep>) {
    let mut again: Vec<usize> =
        steps.iter().filter(|(_, step)| matches!(step, EarlierStep::Again { .. })).map(|(at, _)| *at).collect();
    while let Some(at) = again.pop() {
        let Some(planned) = program.steps().get(at) else { continue };
        let touched: Vec<&Thing> = planned.effects.touches().iter().map(|(_, thing)| thing).collect();
        for (writer, things) in writers.writes.iter().filter(|(writer, _)| *writer > at) {
            let ruined: Vec<&Thing> =
                things.iter().filter(|thing| touched.iter().any(|own| own.overlaps(thing))).collect();
            if ruined.is_empty() {
                continue;
            }
            let spoils = |step: usize| {
                changed(program, step).iter().any(|thing| {
                    ruined.iter().any(|ruined| ruined.overlaps(thing)) && touched.iter().any(|own| own.overlaps(thing))
                })
            };
            let before: Vec<usize> = steps.range(..at).map(|(step, _)| *step).filter(|step| spoils(*step)).collect();
            for step in before.into_iter().chain([*writer]) {
                if let Some(ended @ EarlierStep::Ended(_)) = steps.get_mut(&step) {
                    let because = format!("`{}` runs again, and needs things as they were", planned.id);
                    *ended = EarlierStep::Again { because: because.into() };
                    again.push(step);
                }
            }
        }
    }
}

fn changed(program: &Program, step: usize) -> Vec<Thing> {
    let touches = program.steps().get(step).into_iter().flat_map(|step| step.effects.touches());
    touches.filter(|(access, _)| *access != Access::Read).map(|(_, thing)| thing.clone()).collect()
}
