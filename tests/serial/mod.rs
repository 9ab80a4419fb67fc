//! As if serial: whatever overlaps, a run leaves behind what it would have left one step at a time.

mod draft;
mod order;
mod overlap;
mod registry;
mod rehearsal;

use std::{cell::Cell, sync::LazyLock};

use consign::event::{FailureKind, Outcome};
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::runtime::{Builder, Runtime};

use self::{
    draft::plans,
    registry::Registry,
    rehearsal::{Rehearsal, rehearse},
};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap());

fn on_threads(plan: &str, registry: &Registry, jobs: usize, keep_going: bool) -> Rehearsal {
    RUNTIME.block_on(rehearse(plan, registry, jobs, keep_going))
}

/// Holds a run that overlaps against the one step by step.
fn compare(serial: &Rehearsal, other: &Rehearsal) -> Result<(), TestCaseError> {
    for message in other.failures() {
        prop_assert!(!message.contains("could not be foreseen"), "{message}");
    }
    let Some(failed) = serial.failed() else {
        return same(serial, other);
    };
    prop_assert!(other.failed().is_some(), "one step at a time it fails: {:?}", serial.failures());
    for (step, seen) in other.seen.steps.iter().enumerate().filter(|(step, _)| other.outcomes[*step].is_success()) {
        let same = step > failed || serial.seen.steps[step] == *seen;
        prop_assert!(same, "s{step}: {:?} is not {seen:?}", serial.seen.steps[step]);
        let held_back = is_gate(&serial.outcomes[failed]) && step > failed && changes(other, step);
        prop_assert!(!held_back, "s{step} ran, and the gate s{failed} says no");
    }
    Ok(())
}

fn same(serial: &Rehearsal, other: &Rehearsal) -> Result<(), TestCaseError> {
    let differences = serial.seen.differences(&other.seen);
    prop_assert!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

fn is_gate(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(failure) if failure.kind == FailureKind::Gate)
}

fn changes(run: &Rehearsal, step: usize) -> bool {
    run.program.steps()[step].effects.changes_anything()
}

/// Tries a property on generated plans.
fn on_plans(cases: u32, property: impl Fn(&str, u64) -> Result<(), TestCaseError>) {
    // More with the variable PROPTEST_CASES.
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(cases);
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 2000, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&(plans(), any::<u64>()), |(plan, random)| property(&plan.0, random));
    if let Err(counterexample) = result {
        panic!("{counterexample}");
    }
}

#[test]
fn overlapping_cannot_be_told_from_one_by_one() {
    let (succeeded, failed) = (Cell::new(0), Cell::new(0));
    on_plans(300, |plan, random| {
        let serial = on_threads(plan, &Registry::prompt(), 1, false);
        let count = if serial.failed().is_none() { &succeeded } else { &failed };
        count.set(count.get() + 1);
        for registry in [Registry::prompt(), Registry::late(random)] {
            compare(&serial, &on_threads(plan, &registry, 16, false))?;
        }
        Ok(())
    });
    // A generator of plans that all fail would prove little.
    assert!(succeeded > failed, "{succeeded:?} plans succeeded, {failed:?} failed");
}

#[test]
fn with_keep_going_even_failures_are_the_same() {
    on_plans(150, |plan, random| {
        let serial = on_threads(plan, &Registry::prompt(), 1, true);
        same(&serial, &on_threads(plan, &Registry::late(random), 16, true))
    });
}
