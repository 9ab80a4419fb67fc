//! One fixed run that has every event and every outcome.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value, json};

use super::{Record, Reporter};
use crate::{
    event::{
        Chain, Change, Edge, Event, Failure, FailureKind, Finished, InjectedFault, Node, Outcome, Place, ProgramStream,
        Reason, Rehearsed, RehearsedRepository, Rights, StepId, Summary, Transfer,
    },
    oci::{Descriptor, Digest, Repository, Target},
    output::Output,
};

pub(super) fn step(index: usize) -> StepId {
    StepId::new(index, format!("step{index}"))
}

/// The start of a run of so many steps.
pub(super) fn started(steps: usize) -> Event {
    run_started("test", (0..steps).map(|index| (step(index), "push")).collect(), Vec::new())
}

/// On 2026-01-02 at 03:04:05.
pub(super) fn run_started(plan: &str, steps: Vec<(StepId, &'static str)>, edges: Vec<Edge>) -> Event {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
    Event::RunStarted { plan: plan.into(), steps: steps.into(), edges: edges.into(), at }
}

/// Every reason, and a join.
fn edges(steps: &[StepId]) -> Vec<Edge> {
    let node = |name: &str| match name.strip_prefix('+') {
        Some(number) => Node::Join(number.parse().unwrap()),
        None => Node::Step(steps.iter().find(|step| step.name() == name).unwrap().clone()),
    };
    let edge = |from, to, reasons: &[(&'static str, &str)]| Edge {
        from: node(from),
        to: node(to),
        reasons: reasons.iter().map(|(word, text)| Reason { word, text: format!("{word}: {text}") }).collect(),
    };
    let effect = ("effect", "the first writes tag `<r.io/a:v1>`, the second reads it");
    let gate = ("gate", "the first may say no, and the second changes something");
    vec![
        edge("image", "sbom", &[effect]),
        edge("image", "docs", &[effect]),
        edge("image", "remove", &[("needs", "written in the plan")]),
        edge("sbom", "tree", &[effect, ("data", "it uses `steps.sbom.digest`")]),
        edge("docs", "tree", &[effect]),
        edge("tree", "+1", &[gate]),
        edge("remove", "+1", &[gate]),
        edge("+1", "promote", &[gate]),
        edge("+1", "push_app", &[gate]),
        edge("sign", "sbom_signature", &[effect]),
    ]
}

pub(super) fn finished(index: usize, outcome: Outcome) -> Event {
    Event::StepFinished {
        step: step(index),
        outcome,
        output: None,
        elapsed: Duration::from_millis(120),
        round_trips: 0,
    }
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

/// Text, and what is none.
pub(super) fn outputs() -> Map<String, Value> {
    let outputs =
        [("image_digest", Value::from("sha256:1b")), ("tags", json!(["v1", "<latest>"])), ("note", "two words".into())];
    outputs.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
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
        run_started("acr-tutorial", steps.iter().cloned().zip(kinds).collect(), edges(&steps)),
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
        Event::StepResumed { step: step(2), taken_over: true, because: "it ended well".into() },
        Event::StepResumed { step: step(3), taken_over: false, because: "it had not ended".into() },
    ];
    let finished = outcomes().into_iter().zip(&steps).map(|(outcome, step)| {
        let output = outcome.is_success().then(|| Arc::clone(&output)).filter(|_| step.name() != "tree");
        Finished { step: step.clone(), outcome, output }
    });
    let finished: Vec<_> = finished.collect();
    events.extend(finished.iter().cloned().map(|Finished { step, outcome, output }| {
        let started = outcome.is_success() || matches!(outcome, Outcome::Failed(_));
        let elapsed = if started { Duration::from_millis(120) } else { Duration::ZERO };
        Event::StepFinished { step, outcome, output, elapsed, round_trips: u32::from(started) }
    }));
    let summary = Summary {
        steps: finished,
        interrupted: false,
        unsettled: None,
        rehearsed: Some(rehearsed()),
        outputs: outputs(),
        lacking: Vec::new(),
        elapsed: Duration::from_millis(1234),
        chain: Chain { links: vec![(step(0), 1), (step(4), 1)] },
    };
    events.push(Event::RunFinished { summary: Arc::new(summary) });
    events
}

/// The run as a record; each event comes 10 ms after the one before.
pub(super) fn record() -> Record {
    let mut record = Record::default();
    for (place, event) in (0..).zip(events()) {
        record.hear(&event, Duration::from_millis(10 * place));
    }
    record
}

/// A run of so many steps that found everything as it should be, but for the first.
pub(super) fn many(steps: usize) -> Record {
    let mut record = Record::default();
    record.hear(&started(steps), Duration::ZERO);
    for index in 0..steps {
        let outcome = if index == 0 { Outcome::Created } else { Outcome::Unchanged };
        record.hear(&Event::StepStarted { step: step(index) }, Duration::from_millis(1));
        record.hear(&finished(index, outcome), Duration::from_millis(121));
    }
    record
}

pub(super) fn tell(reporter: &mut dyn Reporter) {
    for event in events() {
        reporter.report(&event).unwrap();
    }
}
