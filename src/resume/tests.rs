//! What is taken over of journals that say this and that.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, json};

use super::{Wishes, judge};
use crate::{
    journal::{Ending, Header, Record, RecordedStep},
    oci::Digest,
    output::Output,
    plan::{Given, SourceFile},
    program::{CompileOptions, Program, compile},
    runner::{EarlierStep, HandedOn},
    step::{Mode, Places},
};

const PLAN: &str = "\
consign: 1
steps:
  - id: app
    push: { to: 'localhost:5000/app:v1', files: [{ name: a, content: a }] }
  - id: note
    attach: { subject: 'localhost:5000/app:v1', artifact_type: a/b, files: [{ name: n, content: n }] }
  - id: look
    discover: { subject: 'localhost:5000/app:v1' }
  - id: gone
    delete: { reference: 'localhost:5000/app:v1', graph: true }
  - id: other
    push: { to: 'localhost:5000/other:v1', files: [{ name: o, content: '${{ steps.app.digest }}' }] }
";

fn program(plan: &str) -> Program {
    let options = CompileOptions {
        given: Given::default(),
        skip: Vec::new(),
        select: Vec::new(),
        places: Places::new("/plans", "/runs"),
        mode: Mode::Real,
    };
    compile(&SourceFile::new("plan.yaml", plan), &options).unwrap()
}

/// A journal in which these steps of the plan ended well, and these had begun.
fn record(ended: &[&str], begun: &[&str]) -> Record {
    let program = program(PLAN);
    let (scope, mut handed_on) = (program.scope(), HandedOn::default());
    let mut steps = BTreeMap::new();
    for (at, planned) in program.steps().iter().enumerate() {
        let name = planned.id.name();
        if begun.contains(&name) {
            steps.insert(name.to_owned(), RecordedStep { started: true, ..RecordedStep::default() });
        }
        if !ended.contains(&name) {
            continue;
        }
        let instance = program.instantiate(at, &scope).unwrap();
        let mut fingerprint = program.fingerprint(at, &scope, &*instance, None).unwrap().read().unwrap();
        fingerprint.before = handed_on.before(at, program.graph());
        let digest = Digest::sha256(name.as_bytes()).to_string();
        let output = Output::default().with("digest", digest.clone());
        handed_on.note(at, &output);
        program.finish(at, &output, &scope);
        let values: Map<_, _> = [("digest".to_owned(), json!(digest))].into_iter().collect();
        let outcome = if name == "look" { "passed" } else { "created" };
        let step = RecordedStep {
            started: true,
            outcome: Some(outcome.to_owned()),
            output: Some(values),
            fingerprint: Some(fingerprint),
        };
        steps.insert(name.to_owned(), step);
    }
    let header = Header {
        version: Header::VERSION,
        run: "2026-11-27T09-30-00.000Z".parse().unwrap(),
        consign: "0.1.0".to_owned(),
        process: 1,
        plan: "/plans/plan.yaml".into(),
        plan_name: "plan.yaml".to_owned(),
        plan_digest: Digest::sha256(b""),
        workdir: "/runs".into(),
        inputs: BTreeMap::new(),
        select: Vec::new(),
        skip: Vec::new(),
        skip_gates: false,
        plain_http: Vec::new(),
        resumes: None,
    };
    Record { header, lines: Vec::new(), steps, ending: Ending::BrokenOff }
}

/// Step by step: what becomes of it.
fn judged(plan: &str, record: &Record, wishes: &Wishes) -> Vec<String> {
    let program = program(plan);
    let earlier = judge(&program, record, wishes, None).unwrap();
    let said = program.steps().iter().enumerate().map(|(at, planned)| match earlier.steps.get(&at) {
        None => format!("{}: runs", planned.id),
        Some(EarlierStep::Again { because }) => format!("{}: again, {because}", planned.id),
        Some(EarlierStep::Done { .. }) => format!("{}: done", planned.id),
        Some(EarlierStep::Ended(ended)) if ended.overwritten.is_empty() => format!("{}: taken over", planned.id),
        Some(EarlierStep::Ended(_)) => format!("{}: taken over, and not looked for", planned.id),
    });
    said.collect()
}

fn places(steps: &[usize]) -> std::collections::BTreeSet<usize> {
    steps.iter().copied().collect()
}

#[test]
fn what_ended_is_taken_over_and_what_began_runs_again() {
    let record = record(&["app", "note"], &["look"]);
    let said = judged(PLAN, &record, &Wishes::default());
    assert_eq!(
        said,
        ["app: taken over", "note: taken over", "look: again, it had not ended", "gone: runs", "other: runs"]
    );
}

#[test]
fn what_a_later_step_began_to_delete_is_not_missed() {
    let record = record(&["app", "note", "look"], &["gone"]);
    let said = judged(PLAN, &record, &Wishes::default());
    let over = "taken over, and not looked for";
    let said: Vec<_> = said.iter().map(String::as_str).collect();
    assert_eq!(said[..2], [format!("app: {over}"), format!("note: {over}")]);
    assert_eq!(said[2..], ["look: taken over", "gone: again, it had not ended", "other: runs"]);
}

#[test]
fn who_runs_again_gets_back_what_was_deleted_since() {
    let record = record(&["app", "note", "look", "gone"], &[]);
    let said = judged(PLAN, &record, &Wishes { redo: places(&[2]), ..Wishes::default() });
    let needs = "again, `look` runs again, and needs things as they were";
    assert_eq!(
        said,
        [
            format!("app: {needs}"),
            format!("note: {needs}"),
            "look: again, as asked".to_owned(),
            format!("gone: {needs}"),
            "other: runs".to_owned()
        ]
    );
}

#[test]
fn what_is_different_runs_again() {
    let record = record(&["app", "other"], &[]);
    let said = judged(&PLAN.replace("content: a }", "content: b }"), &record, &Wishes::default());
    assert_eq!(said[0], "app: again, its fields are different");
    // It is found out when `app` has run.
    assert_eq!(said[4], "other: taken over");
    let said = judged(&PLAN.replace("name: o,", "name: p,"), &record, &Wishes::default());
    assert_eq!(said[4], "other: again, its fields are different");
}

#[test]
fn what_is_marked_as_done_is_done_unless_somebody_needs_what_it_never_handed_on() {
    let none = record(&[], &["app"]);
    let error = judge(&program(PLAN), &none, &Wishes { done: places(&[0]), ..Wishes::default() }, None).unwrap_err();
    assert_eq!(
        error,
        "--mark-done app: `other` uses what `app` hands on, and it never ended: mark `other` too, or let `app` run"
    );
    let said = judged(PLAN, &none, &Wishes { done: places(&[0, 4]), ..Wishes::default() });
    assert_eq!((said[0].as_str(), said[4].as_str()), ("app: done", "other: done"));
    let ended = record(&["app"], &[]);
    let earlier = judge(&program(PLAN), &ended, &Wishes { done: places(&[0]), ..Wishes::default() }, None).unwrap();
    let Some(EarlierStep::Done { output }) = earlier.steps.get(&0) else { panic!("{earlier:?}") };
    assert_eq!(Arc::clone(output).digest(), Some(Digest::sha256(b"app")));
}
