//! One fixed run that has every event and every outcome.

use std::{sync::Arc, time::Duration};

use super::Reporter;
use crate::{
    event::{
        Change, Event, Failure, FailureKind, Finished, InjectedFault, Outcome, Place, ProgramStream, Rehearsed,
        RehearsedRepository, Rights, StepId, Summary, Transfer,
    },
    oci::{Descriptor, Digest, Repository, Target},
    output::Output,
};

pub(super) fn step(index: usize) -> StepId {
    StepId::new(index, format!("step{index}"))
}

/// The start of a run of so many steps.
pub(super) fn started(steps: usize) -> Event {
    Event::RunStarted { plan: "test".into(), steps: (0..steps).map(|index| (step(index), "push")).collect() }
}

pub(super) fn finished(index: usize, outcome: Outcome) -> Event {
    Event::StepFinished { step: step(index), outcome, output: None, elapsed: Duration::from_millis(120) }
}

pub(super) fn transfer(name: &str, total: u64) -> Arc<Transfer> {
    Arc::new(Transfer::new(name.to_owned(), Digest::sha256(name.as_bytes()), total))
}

pub(super) fn output() -> Output {
    let repository = Repository::Registry {
        registry: "myregistry.azurecr.io".parse().unwrap(),
        name: "net-monitor".parse().unwrap(),
    };
    Output::of_manifest(&repository, &Descriptor::of("application/vnd.oci.image.manifest.v1+json", b"{}"))
}

pub(super) fn failure(kind: FailureKind) -> Failure {
    Failure {
        kind,
        message: "failed to push to `myregistry.azurecr.io/app:v1`: 403 DENIED: two\nlines and \u{1b}[2J".to_owned(),
        notes: Vec::new(),
        help: vec!["log in with `consign login myregistry.azurecr.io`".to_owned()],
        place: Some(Place { file: "plans/x.yaml".to_owned(), line: 12, column: 5 }),
    }
}

/// One of each kind, in the order of [`Outcome::WORDS`].
pub(super) fn outcomes() -> [Outcome; 9] {
    [
        Outcome::Created,
        Outcome::Updated,
        Outcome::Unchanged,
        Outcome::Deleted,
        Outcome::Passed,
        Outcome::Skipped { because: "`when` is false".into() },
        Outcome::Blocked { by: StepId::new(7, "push_app") },
        Outcome::Failed(Arc::new(failure(FailureKind::Step))),
        Outcome::Cancelled,
    ]
}

/// Every kind of change, and a fault.
pub(super) fn rehearsed() -> Rehearsed {
    let digest = |text: &str| Digest::sha256(text.as_bytes());
    let tag = |name: &str, before, after| Change { target: Target::Tag(name.parse().unwrap()), before, after };
    let repository = |name: &str| Repository::Registry {
        registry: "myregistry.azurecr.io".parse().unwrap(),
        name: name.parse().unwrap(),
    };
    let made = digest("made");
    let changes = vec![
        tag("latest", Some(digest("old")), Some(made.clone())),
        tag("passing", None, None),
        tag("stale", Some(digest("old")), None),
        tag("v1", None, Some(made.clone())),
        Change { target: Target::Digest(made.clone()), before: None, after: Some(made) },
    ];
    let all = Rights { pull: true, push: true, delete: true };
    Rehearsed {
        repositories: vec![
            RehearsedRepository { repository: repository("base"), rights: Rights::PULL, changes: Vec::new() },
            RehearsedRepository { repository: repository("net-monitor"), rights: all, changes },
        ],
        faults: vec![InjectedFault { spec: "copy:503*2".to_owned(), wanted: 2, injected: 1 }],
        tries: 1,
    }
}

/// The run. Every variant of [`Event`] is in it, and every outcome.
pub(super) fn events() -> Vec<Event> {
    let names = ["image", "sbom", "docs", "remove", "tree", "promote", "sign", "push_app", "sbom_signature"];
    let kinds = ["image", "attach", "attach", "delete", "discover", "copy", "sign", "push", "attach"];
    let steps: Vec<_> = names.iter().enumerate().map(|(index, name)| StepId::new(index, *name)).collect();
    let step = |index: usize| steps[index].clone();
    let layer = transfer("application/vnd.oci.image.layer.v1.tar+gzip", 80 * 1024 * 1024);
    let output = Arc::new(output());

    let mut events = vec![
        Event::RunStarted { plan: "acr-tutorial".into(), steps: steps.iter().cloned().zip(kinds).collect() },
        Event::StepStarted { step: step(0) },
        Event::TransferStarted { step: step(0), transfer: Arc::clone(&layer) },
        Event::StepStarted { step: step(4) },
        Event::StepRetried {
            step: step(0),
            attempt: 1,
            wait: Duration::from_millis(1500),
            request: "GET https://r.io/v2/".into(),
            error: "503 Service Unavailable".into(),
        },
        Event::Requested {
            step: step(4),
            request: "GET https://r.io/v2/".into(),
            answer: "200 OK".into(),
            elapsed: Duration::from_millis(42),
        },
        Event::Printed { step: step(4), text: "myregistry.azurecr.io/net-monitor:v1\n└── sbom/example\n".into() },
        Event::ProgramWrote {
            step: step(7),
            stream: ProgramStream::Stderr,
            text: "::error::one\ntwo \u{1b}[2J\n".into(),
        },
        Event::Warned { step: step(4), message: "the registry has no referrers API".into() },
        Event::TransferFinished { step: step(0), transfer: layer },
    ];
    let finished = outcomes().into_iter().zip(&steps).map(|(outcome, step)| {
        let output = outcome.is_success().then(|| Arc::clone(&output)).filter(|_| step.name() != "tree");
        Finished { step: step.clone(), outcome, output }
    });
    let finished: Vec<_> = finished.collect();
    events.extend(finished.iter().cloned().map(|Finished { step, outcome, output }| {
        let started = outcome.is_success() || matches!(outcome, Outcome::Failed(_));
        let elapsed = if started { Duration::from_millis(120) } else { Duration::ZERO };
        Event::StepFinished { step, outcome, output, elapsed }
    }));
    let summary = Summary {
        steps: finished,
        interrupted: false,
        unsettled: None,
        rehearsed: Some(rehearsed()),
        elapsed: Duration::from_millis(1234),
    };
    events.push(Event::RunFinished { summary: Arc::new(summary) });
    events
}

pub(super) fn tell(reporter: &mut dyn Reporter) {
    for event in events() {
        reporter.report(&event).unwrap();
    }
}
